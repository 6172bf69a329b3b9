//! Tests of the shell's syntax.

use super::{Condition, SyntaxError, parse};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// Words of each command of each step, with `$?` = 7.
fn words(line: &str) -> Vec<Vec<Vec<String>>> {
    parse(line)
        .unwrap()
        .iter()
        .map(|step| {
            step.pipeline
                .iter()
                .map(|command| command.words.iter().map(|word| word.expand(7)).collect())
                .collect()
        })
        .collect()
}

#[test]
fn splits_words_and_quotes() {
    assert_eq!(
        words(r#"echo a  'b  c' "d $? \" \n" e\ f "" $x$?#no # comment"#),
        vec![vec![vec![
            "echo",
            "a",
            "b  c",
            "d 7 \" \\n",
            "e f",
            "",
            "$x7#no"
        ]]]
    );
    assert!(words("").is_empty());
    assert!(words("  # nothing").is_empty());
    assert!(words(";;\n;").is_empty());
}

#[test]
fn reads_lists_and_pipes() {
    let steps = parse("a | b && c || d; e & f").unwrap();
    let shape: Vec<_> = steps
        .iter()
        .map(|step| (step.pipeline.len(), step.condition, step.background))
        .collect();
    use Condition::{Always, Failure, Success};
    assert_eq!(
        shape,
        vec![
            (2, Always, false),
            (1, Success, false),
            (1, Failure, false),
            (1, Always, true),
            (1, Always, false),
        ]
    );
    assert_eq!(
        words("a|b;c"),
        vec![vec![vec!["a"], vec!["b"]], vec![vec!["c"]]]
    );
    assert_eq!(words("a &\nb"), vec![vec![vec!["a"]], vec![vec!["b"]]]);
}

#[test]
fn conditions() {
    assert!(Condition::Always.holds(3));
    assert!(Condition::Success.holds(0) && !Condition::Success.holds(1));
    assert!(Condition::Failure.holds(1) && !Condition::Failure.holds(0));
}

#[test]
fn says_what_is_wrong() {
    let error = |line| parse(line).unwrap_err();
    let missing = |operator, column| SyntaxError::MissingCommand { operator, column };
    let open = |quote, column| SyntaxError::OpenQuote { quote, column };
    assert_eq!(error("echo 'a"), open('\'', 6));
    assert_eq!(error("echo \"a\\"), open('"', 6));
    assert_eq!(error("echo \\"), SyntaxError::NothingToEscape);
    assert_eq!(error("a | | b"), missing("|", 3));
    assert_eq!(error("| b"), missing("|", 1));
    assert_eq!(error("a |"), missing("|", 3));
    assert_eq!(error("a &&"), missing("&&", 3));
    assert_eq!(error("a && ; b"), missing("&&", 3));
    assert_eq!(error("& a"), missing("&", 1));
    assert_eq!(
        error("a > b"),
        SyntaxError::Redirection {
            operator: '>',
            column: 3
        }
    );
    for message in [error("echo 'a"), error("a |"), error("a > b"), error("\\")] {
        assert!(
            message.to_string().contains(';'),
            "{message} says what to do"
        );
    }
}

#[test]
fn anything_is_parsed_without_a_panic() {
    let alphabet = [
        'a', ' ', '\'', '"', '\\', '$', '?', '|', '&', ';', '#', '>', '\n', 'é', '\0',
    ];
    let mut state = 1_u64;
    for round in 0..20_000 {
        let mut line = String::new();
        for _ in 0..round % 24 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            line.push(alphabet[(state >> 33) as usize % alphabet.len()]);
        }
        if let Ok(steps) = parse(&line) {
            assert!(
                steps.iter().all(|step| !step.pipeline.is_empty()),
                "{}",
                format!("{line:?}")
            );
        }
    }
}
