//! What arguments a command takes: `--help`, checked arguments, errors that say what to do.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// What a command is and takes.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// What the user types.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What stands behind the options.
    pub operands: Operands,
    /// The options, `--help` aside.
    pub options: &'static [OptionSpec],
    /// Whether options end at the first operand, because the rest is another command's or text.
    pub options_first: bool,
    /// More to know, line by line.
    pub notes: &'static [&'static str],
    /// Exit codes of its own; 0 and 2 are the same for all.
    pub exit_codes: &'static [(u8, &'static str)],
}

impl Usage {
    /// A command without a name, operands and options, to start from.
    pub const NONE: Self = Self {
        name: "",
        summary: "",
        operands: Operands::NONE,
        options: &[],
        options_first: false,
        notes: &[],
        exit_codes: &[],
    };
}

/// What stands behind the options.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// As the usage line shows them.
    pub text: &'static str,
    /// Fewest.
    pub minimum: usize,
    /// Most.
    pub maximum: usize,
}

impl Operands {
    /// None.
    pub const NONE: Self = Self {
        text: "",
        minimum: 0,
        maximum: 0,
    };

    /// From `minimum` to `maximum` operands, shown as `text`.
    #[must_use]
    pub const fn new(text: &'static str, minimum: usize, maximum: usize) -> Self {
        Self {
            text,
            minimum,
            maximum,
        }
    }

    /// `minimum` or more operands, shown as `text`.
    #[must_use]
    pub const fn many(text: &'static str, minimum: usize) -> Self {
        Self {
            text,
            minimum,
            maximum: usize::MAX,
        }
    }
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name without the dashes.
    pub long: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What its value is called, if it takes one.
    pub value: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

impl OptionSpec {
    /// `--json`, as every command has it that lists something.
    pub const JSON: Self = Self::flag("json", "print one JSON document on one line");

    /// An option without a value.
    #[must_use]
    pub const fn flag(long: &'static str, help: &'static str) -> Self {
        Self {
            long,
            short: None,
            value: None,
            help,
        }
    }

    /// An option with a value.
    #[must_use]
    pub const fn value(long: &'static str, value: &'static str, help: &'static str) -> Self {
        Self {
            long,
            short: None,
            value: Some(value),
            help,
        }
    }

    /// The same with a letter.
    #[must_use]
    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }
}

/// What the user asks of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To run with these arguments.
    Run(Arguments),
    /// To explain itself.
    Help,
}

/// Arguments that agree with the command's [`Usage`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    options: Vec<(&'static str, Option<String>)>,
    operands: Vec<String>,
}

impl Arguments {
    /// Whether the option is there.
    #[must_use]
    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// The option's value, if the option is there; the last one counts.
    #[must_use]
    pub fn value(&self, long: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(name, _)| *name == long)?
            .1
            .as_deref()
    }

    /// What stands behind the options.
    #[must_use]
    pub fn operands(&self) -> &[String] {
        &self.operands
    }

    /// The first operand.
    #[must_use]
    pub fn operand(&self) -> Option<&str> {
        self.operands.first().map(String::as_str)
    }
}

/// What is wrong with a command's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// An option that the command has not.
    UnknownOption {
        /// As typed.
        option: String,
        /// The options that look like it.
        near: Vec<&'static str>,
    },
    /// An option's value is not there.
    MissingValue {
        /// The option.
        option: &'static str,
        /// What its value is called.
        value: &'static str,
    },
    /// A value for an option that takes none.
    UnexpectedValue {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
    },
    /// Too few operands.
    MissingOperand {
        /// As the usage line shows them.
        expected: &'static str,
    },
    /// Too many operands.
    UnexpectedOperand {
        /// The first one too many.
        operand: String,
    },
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption { option, near } => {
                write!(f, "there is no option {option}")?;
                match near.first() {
                    Some(near) => write!(f, "; did you mean --{near}?"),
                    None => Ok(()),
                }
            }
            Self::MissingValue { option, value } => {
                write!(f, "--{option} needs a value: --{option}={value}")
            }
            Self::UnexpectedValue { option, value } => {
                write!(f, "--{option} takes no value, but got '{value}'")
            }
            Self::MissingOperand { expected } => write!(f, "{expected} is missing"),
            Self::UnexpectedOperand { operand } => write!(f, "'{operand}' is one too many"),
        }
    }
}

impl core::error::Error for UsageError {}

impl Usage {
    /// Checks `words`, which come behind the command's name.
    ///
    /// # Errors
    ///
    /// When an option is unknown or used wrongly, or there are too few or too many operands.
    pub fn parse(&self, words: &[&str]) -> Result<Request, UsageError> {
        let mut arguments = Arguments::default();
        let mut words = words.iter().copied();
        let mut options_end = false;
        while let Some(word) = words.next() {
            if options_end || !word.starts_with('-') || word == "-" {
                options_end |= self.options_first;
                arguments.operands.push(word.to_string());
            } else if word == "--" {
                options_end = true;
            } else if word == "--help" || word == "-h" {
                return Ok(Request::Help);
            } else if let Some(long) = word.strip_prefix("--") {
                arguments.options.push(self.long(word, long, &mut words)?);
            } else {
                self.letters(word, &mut words, &mut arguments)?;
            }
        }
        self.count(&arguments.operands)?;
        Ok(Request::Run(arguments))
    }

    fn long<'a>(
        &self,
        word: &str,
        long: &str,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(&'static str, Option<String>), UsageError> {
        let (name, attached) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let spec = self
            .options
            .iter()
            .find(|spec| spec.long == name)
            .ok_or_else(|| self.unknown(word, name))?;
        match (spec.value, attached) {
            (None, Some(value)) => {
                let value = value.to_string();
                Err(UsageError::UnexpectedValue {
                    option: spec.long,
                    value,
                })
            }
            (Some(value), None) => {
                let missing = UsageError::MissingValue {
                    option: spec.long,
                    value,
                };
                Ok((spec.long, Some(words.next().ok_or(missing)?.to_string())))
            }
            (_, attached) => Ok((spec.long, attached.map(ToString::to_string))),
        }
    }

    fn letters<'a>(
        &self,
        word: &str,
        words: &mut impl Iterator<Item = &'a str>,
        arguments: &mut Arguments,
    ) -> Result<(), UsageError> {
        for letter in word.chars().skip(1) {
            let spec = self
                .options
                .iter()
                .find(|spec| spec.short == Some(letter))
                .ok_or_else(|| self.unknown(word, ""))?;
            let value = match spec.value {
                None => None,
                Some(value) => {
                    let missing = UsageError::MissingValue {
                        option: spec.long,
                        value,
                    };
                    Some(words.next().ok_or(missing)?.to_string())
                }
            };
            arguments.options.push((spec.long, value));
        }
        Ok(())
    }

    fn unknown(&self, word: &str, name: &str) -> UsageError {
        let known = self.options.iter().map(|spec| spec.long).chain(["help"]);
        UsageError::UnknownOption {
            option: word.to_string(),
            near: crate::near::matches(name, known),
        }
    }

    fn count(&self, operands: &[String]) -> Result<(), UsageError> {
        if operands.len() < self.operands.minimum {
            return Err(UsageError::MissingOperand {
                expected: self.operands.text,
            });
        }
        match operands.get(self.operands.maximum) {
            Some(operand) => Err(UsageError::UnexpectedOperand {
                operand: operand.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// What `--help` prints.
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n\nusage: {0}", self.name, self.summary)?;
        f.write_str(" [OPTION]…")?;
        if !self.operands.text.is_empty() {
            write!(f, " {}", self.operands.text)?;
        }
        f.write_str("\n\noptions:\n")?;
        let help = OptionSpec::flag("help", "print this text").short('h');
        for spec in self.options.iter().chain([&help]) {
            spec.line(f)?;
        }
        if !self.notes.is_empty() {
            f.write_str("\n")?;
        }
        for note in self.notes {
            writeln!(f, "{note}")?;
        }
        f.write_str("\nexit codes:\n    0  success\n")?;
        for (code, meaning) in self.exit_codes {
            writeln!(f, "  {code:>3}  {meaning}")?;
        }
        f.write_str("    2  wrong option or operand\n")
    }
}

impl OptionSpec {
    fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = String::from("  ");
        match self.short {
            Some(letter) => left.extend(['-', letter, ',', ' ']),
            None => left.push_str("    "),
        }
        left.push_str("--");
        left.push_str(self.long);
        if let Some(value) = self.value {
            left.push('=');
            left.push_str(value);
        }
        writeln!(f, "{left:<24}  {}", self.help)
    }
}

#[cfg(test)]
mod tests {
    use super::{Operands, OptionSpec, Request, Usage, UsageError};
    use alloc::string::ToString;

    const USAGE: Usage = Usage {
        name: "swap",
        summary: "replace components",
        operands: Operands::new("NAME", 1, 2),
        options: &[
            OptionSpec::JSON,
            OptionSpec::value("depth", "N", "how deep").short('d'),
            OptionSpec::flag("undo", "take back").short('u'),
        ],
        exit_codes: &[(1, "refused")],
        ..Usage::NONE
    };

    fn run(usage: &Usage, words: &[&str]) -> super::Arguments {
        match usage.parse(words) {
            Ok(Request::Run(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_options_and_operands() {
        let arguments = run(&USAGE, &["a", "--json", "--depth=3", "-u", "--", "-x"]);
        assert!(arguments.has("json") && arguments.has("undo"));
        assert_eq!(arguments.value("depth"), Some("3"));
        assert_eq!(arguments.operands(), ["a", "-x"]);
        assert_eq!(run(&USAGE, &["-ud", "4", "a"]).value("depth"), Some("4"));
        let first = Usage {
            options_first: true,
            ..USAGE
        };
        assert_eq!(
            run(&first, &["-u", "ps", "--all"]).operands(),
            ["ps", "--all"]
        );
        assert_eq!(USAGE.parse(&["--help"]), Ok(Request::Help));
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |words: &[&str]| USAGE.parse(words).unwrap_err().to_string();
        assert_eq!(
            message(&["--jsn"]),
            "there is no option --jsn; did you mean --json?"
        );
        assert_eq!(message(&["-z"]), "there is no option -z");
        assert_eq!(message(&["--depth"]), "--depth needs a value: --depth=N");
        assert_eq!(message(&["--json=1"]), "--json takes no value, but got '1'");
        assert_eq!(message(&[]), "NAME is missing");
        assert_eq!(message(&["a", "b", "c"]), "'c' is one too many");
        assert!(matches!(
            USAGE.parse(&[]),
            Err(UsageError::MissingOperand { .. })
        ));
    }

    #[test]
    fn help_names_everything() {
        let help = USAGE.to_string();
        for part in [
            "usage: swap [OPTION]… NAME",
            "--json",
            "-d, --depth=N",
            "-h, --help",
            "  1  refused",
        ] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }
}
