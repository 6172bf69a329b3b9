//! A tutorial's text as steps that can be run.
//!
//! | fence | step |
//! |---|---|
//! | `toml,file=PATH`, `rust,file=PATH` | the block is written to PATH |
//! | `sh` | the block runs on the host and must succeed |
//! | `sh,output`, then `text,expect` | the same, and its output has the expected lines, in order |
//! | `sh,terminal` | the command runs in a terminal of its own and stays there |
//! | `text,session` | lines after `strake> ` are typed there; the others are what it must print |
//!
//! Any other fence in a tutorial is an error: a block that nobody runs goes stale.

/// A step of a tutorial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write a file.
    File {
        /// Its path from the repository's root.
        path: String,
        /// Its contents.
        contents: String,
    },
    /// Run a script on the host.
    Shell {
        /// The script.
        script: String,
        /// Lines that its output must have, in order.
        expected: Vec<String>,
    },
    /// Start a command in a terminal.
    Terminal(String),
    /// Type a command there.
    Type {
        /// The command.
        command: String,
        /// What it must print.
        expected: String,
    },
}

/// The prompt at the start of a session's typed lines.
const PROMPT: &str = "strake> ";

/// Reads the steps of a tutorial's Markdown.
pub(crate) fn steps(markdown: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .collect();
        add(&mut steps, fence, &body).map_err(|error| format!("line {}: {error}", number + 1))?;
    }
    Ok(steps)
}

fn add(steps: &mut Vec<Step>, fence: &str, body: &[&str]) -> Result<(), String> {
    let text = || {
        body.iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    match fence.split_once(',').unwrap_or((fence, "")) {
        ("toml" | "rust", file) => {
            let path = file
                .strip_prefix("file=")
                .ok_or("a block of source without file=PATH")?;
            steps.push(Step::File {
                path: path.into(),
                contents: text(),
            });
        }
        ("sh", "" | "output") => steps.push(Step::Shell {
            script: text(),
            expected: Vec::new(),
        }),
        ("sh", "terminal") => steps.push(Step::Terminal(text())),
        ("text", "expect") => match steps.last_mut() {
            Some(Step::Shell { expected, .. }) => {
                expected.extend(body.iter().map(|line| String::from(*line)));
            }
            _ => return Err("an expectation that follows no script".into()),
        },
        ("text", "session") => session(steps, body)?,
        _ => return Err(format!("nobody knows how to run a block of {fence:?}")),
    }
    Ok(())
}

fn session(steps: &mut Vec<Step>, body: &[&str]) -> Result<(), String> {
    let begin = steps.len();
    for line in body {
        if let Some(command) = line.strip_prefix(PROMPT) {
            steps.push(Step::Type {
                command: command.into(),
                expected: String::new(),
            });
            continue;
        }
        match steps.get_mut(begin..).and_then(<[Step]>::last_mut) {
            Some(Step::Type { expected, .. }) => {
                expected.push_str(line);
                expected.push('\n');
            }
            _ => return Err("a session that does not begin with a typed line".into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_kind_of_block() {
        let markdown = "text\n```toml,file=a/b.toml\nx = 1\n```\n```sh,output\necho 1\n```\n\
                        ```text,expect\n1\n```\n```sh,terminal\nmake run\n```\n\
                        ```text,session\nstrake> a\n1\n2\nstrake> b\n```\n";
        let typed = |command: &str, expected: &str| Step::Type {
            command: command.into(),
            expected: expected.into(),
        };
        assert_eq!(
            steps(markdown),
            Ok(vec![
                Step::File {
                    path: "a/b.toml".into(),
                    contents: "x = 1\n".into()
                },
                Step::Shell {
                    script: "echo 1\n".into(),
                    expected: vec!["1".into()]
                },
                Step::Terminal("make run\n".into()),
                typed("a", "1\n2\n"),
                typed("b", ""),
            ])
        );
    }

    #[test]
    fn refuses_a_block_that_nobody_runs() {
        let error = steps("```\nmake run\n```\n").err().unwrap_or_default();
        assert!(error.contains("line 1"), "{error}");
        assert!(steps("```rust\nfn main() {}\n```\n").is_err());
        assert!(steps("```text,expect\n1\n```\n").is_err());
    }
}
