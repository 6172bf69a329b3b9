//! A line for the shell → pipelines of commands.
//!
//! ```text
//! line     = [pipeline] { (";" | "&&" | "||" | "&" | newline) [pipeline] }
//! pipeline = command { "|" command }
//! command  = word { word | redirection }
//! redirection = ("<" | ">" | ">>" | "2>" | "2>>") word | "2>&1"
//! ```
//! A redirection may stand anywhere in a command. `1>` is `>`.
//!
//! `'…'` keeps everything, `"…"` keeps everything but `\` and `$?`, `\` keeps the next character;
//! `$?` is the last status; `#` at the start of a word begins a comment.

use alloc::{string::String, vec::Vec};
use core::fmt;

mod lexer;

use lexer::{Lexer, Operator, Token};

/// A pipeline and when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it runs, by the status of what ran before it.
    pub condition: Condition,
    /// Whether the shell goes on without waiting for it.
    pub background: bool,
    /// The commands, each one's output the next one's input; never empty.
    pub pipeline: Vec<Command>,
}

/// When a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In any case.
    Always,
    /// After status 0 (`&&`).
    Success,
    /// After another status than 0 (`||`).
    Failure,
}

impl Condition {
    /// Whether a step with this condition runs after `status`.
    #[must_use]
    pub fn holds(self, status: u8) -> bool {
        match self {
            Self::Always => true,
            Self::Success => status == 0,
            Self::Failure => status != 0,
        }
    }
}

/// A command: its name and arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The words, the command's name first; never empty.
    pub words: Vec<Word>,
    /// Where its streams lead, in the order in which this was said.
    pub redirections: Vec<Redirection>,
}

/// That a stream of a command leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirection {
    /// The input comes from a file.
    Input(Word),
    /// The output goes into a file.
    Output(Word, Mode),
    /// The error output goes into a file.
    Error(Word, Mode),
    /// The error output goes where the output goes.
    ErrorToOutput,
}

/// What becomes of what is in a file that output goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is replaced.
    Replace,
    /// The output comes behind it.
    Append,
}

/// A word, before `$?` has got its value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Word {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Status,
}

impl Word {
    /// The word with `status` for `$?`.
    #[must_use]
    pub fn expand(&self, status: u8) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                // Writing to a `String` does not fail.
                Piece::Status => drop(fmt::Write::write_fmt(&mut text, format_args!("{status}"))),
            }
        }
        text
    }

    fn push(&mut self, character: char) {
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.push(character);
        } else {
            self.pieces.push(Piece::Text(String::from(character)));
        }
    }

    /// Makes an empty word (`""`) a word of its own.
    fn touch(&mut self) {
        if self.pieces.is_empty() {
            self.pieces.push(Piece::Text(String::new()));
        }
    }
}

/// What is wrong with a line. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// A quote that nothing closes.
    OpenQuote {
        /// The quote.
        quote: char,
        /// Where it is.
        column: usize,
    },
    /// The line ends behind a backslash.
    NothingToEscape,
    /// An operator with no command before or behind it.
    MissingCommand {
        /// The operator.
        operator: &'static str,
        /// Where it is.
        column: usize,
    },
    /// A redirection with no path behind it.
    MissingPath {
        /// The operator.
        operator: &'static str,
        /// Where it is.
        column: usize,
    },
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenQuote { quote, column } => {
                write!(
                    f,
                    "the quote {quote} in column {column} is never closed; add another {quote}"
                )
            }
            Self::NothingToEscape => {
                f.write_str("the line ends behind a \\; write \\\\ for a backslash")
            }
            Self::MissingCommand { operator, column } => {
                write!(
                    f,
                    "there is no command at the {operator} in column {column}; "
                )?;
                write!(f, "put one there, or quote the '{operator}'")
            }
            Self::MissingPath { operator, column } => {
                write!(
                    f,
                    "there is no path behind the {operator} in column {column}; "
                )?;
                write!(f, "put one there, or quote the '{operator}'")
            }
        }
    }
}

impl core::error::Error for SyntaxError {}

/// Parses a line. An empty line or a comment gives no step.
///
/// # Errors
///
/// When a quote stays open, an operator lacks a command, or a redirection a path.
pub fn parse(line: &str) -> Result<Vec<Step>, SyntaxError> {
    let mut lexer = Lexer::new(line);
    let mut parser = Parser::default();
    while let Some((token, column)) = lexer.next_token()? {
        parser.accept(token, column)?;
    }
    parser.finish()
}

/// The steps so far, and the one that is being read.
#[derive(Default)]
struct Parser {
    steps: Vec<Step>,
    pipeline: Vec<Command>,
    command: Command,
    /// The first redirection of `command`, and its column.
    first_redirection: Option<(&'static str, usize)>,
    /// A redirection whose path comes next, and its column.
    redirection: Option<(Operator, usize)>,
    /// The operator behind which a command must follow, and its column.
    pending: Option<(&'static str, usize)>,
    condition: Option<Condition>,
}

impl Parser {
    fn accept(&mut self, token: Token, column: usize) -> Result<(), SyntaxError> {
        if let Some(redirection) = self.redirection.take() {
            return self.lead(redirection, token);
        }
        match token {
            Token::Word(word) => {
                self.pending = None;
                self.command.words.push(word);
                Ok(())
            }
            Token::Redirection(operator) => {
                self.first_redirection
                    .get_or_insert((operator.as_str(), column));
                self.redirect(operator, column);
                Ok(())
            }
            Token::Pipe => {
                self.end_command("|", column)?;
                self.pending = Some(("|", column));
                Ok(())
            }
            Token::And => self.end_step("&&", column, Condition::Success),
            Token::Or => self.end_step("||", column, Condition::Failure),
            Token::Background => {
                self.end_step("&", column, Condition::Always)?;
                self.pending = None;
                if let Some(step) = self.steps.last_mut() {
                    step.background = true;
                }
                Ok(())
            }
            Token::Semicolon => {
                // Stray semicolons and empty lines are harmless.
                if self.is_between_steps() && self.pending.is_none() {
                    return Ok(());
                }
                self.end_step(";", column, Condition::Always)?;
                self.pending = None;
                Ok(())
            }
        }
    }

    /// Whether nothing of a step has been read.
    fn is_between_steps(&self) -> bool {
        self.command == Command::default() && self.pipeline.is_empty()
    }

    /// Notes a redirection, whose path comes next if it has one.
    fn redirect(&mut self, operator: Operator, column: usize) {
        match operator {
            Operator::ErrorToOutput => {
                self.command.redirections.push(Redirection::ErrorToOutput);
            }
            operator => self.redirection = Some((operator, column)),
        }
    }

    /// Takes the path of a redirection.
    fn lead(
        &mut self,
        (operator, column): (Operator, usize),
        token: Token,
    ) -> Result<(), SyntaxError> {
        let Token::Word(path) = token else {
            let operator = operator.as_str();
            return Err(SyntaxError::MissingPath { operator, column });
        };
        self.command.redirections.push(match operator {
            Operator::Input => Redirection::Input(path),
            Operator::Output(mode) => Redirection::Output(path, mode),
            Operator::Error(mode) => Redirection::Error(path, mode),
            Operator::ErrorToOutput => Redirection::ErrorToOutput,
        });
        Ok(())
    }

    fn end_command(&mut self, operator: &'static str, column: usize) -> Result<(), SyntaxError> {
        if self.command.words.is_empty() {
            let before = self.pending.or(self.first_redirection);
            let (operator, column) = before.unwrap_or((operator, column));
            return Err(SyntaxError::MissingCommand { operator, column });
        }
        self.first_redirection = None;
        self.pipeline.push(core::mem::take(&mut self.command));
        Ok(())
    }

    fn end_step(
        &mut self,
        operator: &'static str,
        column: usize,
        next: Condition,
    ) -> Result<(), SyntaxError> {
        self.end_command(operator, column)?;
        self.steps.push(Step {
            condition: self.condition.unwrap_or(Condition::Always),
            background: false,
            pipeline: core::mem::take(&mut self.pipeline),
        });
        self.condition = Some(next);
        self.pending = Some((operator, column));
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Step>, SyntaxError> {
        if let Some((operator, column)) = self.redirection {
            let operator = operator.as_str();
            return Err(SyntaxError::MissingPath { operator, column });
        }
        if let (Some((operator, column)), true) = (self.pending, self.command.words.is_empty()) {
            return Err(SyntaxError::MissingCommand { operator, column });
        }
        if !self.is_between_steps() {
            self.end_step(";", 0, Condition::Always)?;
        }
        Ok(self.steps)
    }
}

#[cfg(test)]
mod tests;
