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
fn reads_redirections() {
    use super::{Mode, Redirection};
    let shape = |line: &str| {
        let steps = parse(line).unwrap();
        let command = &steps[0].pipeline[0];
        let redirections: Vec<String> = command
            .redirections
            .iter()
            .map(|redirection| match redirection {
                Redirection::Input(path) => format!("< {}", path.expand(7)),
                Redirection::Output(path, Mode::Replace) => format!("> {}", path.expand(7)),
                Redirection::Output(path, Mode::Append) => format!(">> {}", path.expand(7)),
                Redirection::Error(path, Mode::Replace) => format!("2> {}", path.expand(7)),
                Redirection::Error(path, Mode::Append) => format!("2>> {}", path.expand(7)),
                Redirection::ErrorToOutput => String::from("2>&1"),
            })
            .collect();
        let words: Vec<String> = command.words.iter().map(|word| word.expand(7)).collect();
        (words.join(" "), redirections.join(", "))
    };
    let of = |words: &str, redirections: &str| (words.to_string(), redirections.to_string());
    assert_eq!(shape("a >b <c"), of("a", "> b, < c"));
    assert_eq!(shape("<c a>>'b d' e"), of("a e", "< c, >> b d"));
    assert_eq!(shape("a 2>e 1>o"), of("a", "2> e, > o"));
    assert_eq!(shape("a 2>>e >$?"), of("a", "2>> e, > 7"));
    assert_eq!(shape("a >o 2>&1 | b"), of("a", "> o, 2>&1"));
    assert_eq!(shape("a 2 >o x2>o '2'>o"), of("a 2 x2 2", "> o, > o, > o"));
    assert_eq!(shape("a '>' \\> b"), of("a > > b", ""));
    assert_eq!(parse("a >b & c").unwrap().len(), 2);
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
    let path = |operator, column| SyntaxError::MissingPath { operator, column };
    assert_eq!(error("a >"), path(">", 3));
    assert_eq!(error("a 2>> | b"), path("2>>", 3));
    assert_eq!(error("a < > b"), path("<", 3));
    assert_eq!(error("> b"), missing(">", 1));
    assert_eq!(error("a | > b"), missing("|", 3));
    for message in [error("echo 'a"), error("a |"), error("a >"), error("\\")] {
        assert!(
            message.to_string().contains(';'),
            "{message} says what to do"
        );
    }
}

#[test]
fn anything_is_parsed_without_a_panic() {
    let alphabet = [
        'a', ' ', '\'', '"', '\\', '$', '?', '|', '&', ';', '#', '>', '<', '2', '\n', 'é', '\0',
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
