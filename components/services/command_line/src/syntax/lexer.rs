//! Characters → words and operators.

use super::{Mode, Piece, SyntaxError, Word};
use core::{iter::Peekable, str::Chars};

pub(super) enum Token {
    Word(Word),
    Semicolon,
    And,
    Or,
    Pipe,
    Background,
    Redirection(Operator),
}

/// Which stream leads elsewhere.
#[derive(Clone, Copy)]
pub(super) enum Operator {
    Input,
    Output(Mode),
    Error(Mode),
    ErrorToOutput,
}

impl Operator {
    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "<",
            Self::Output(Mode::Replace) => ">",
            Self::Output(Mode::Append) => ">>",
            Self::Error(Mode::Replace) => "2>",
            Self::Error(Mode::Append) => "2>>",
            Self::ErrorToOutput => "2>&1",
        }
    }
}

pub(super) struct Lexer<'a> {
    characters: Peekable<Chars<'a>>,
    /// Characters taken so far, which is the column of the last one.
    column: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self {
            characters: line.chars().peekable(),
            column: 0,
        }
    }

    /// The next token and its column; `None` at the end.
    pub(super) fn next_token(&mut self) -> Result<Option<(Token, usize)>, SyntaxError> {
        loop {
            let Some(&character) = self.characters.peek() else {
                return Ok(None);
            };
            let column = self.column + 1;
            let token = match character {
                '\n' | ';' => {
                    self.take();
                    Token::Semicolon
                }
                '#' => {
                    while self.characters.peek().is_some_and(|&next| next != '\n') {
                        self.take();
                    }
                    continue;
                }
                '&' => self.doubled('&', Token::And, Token::Background),
                '|' => self.doubled('|', Token::Or, Token::Pipe),
                '<' => {
                    self.take();
                    Token::Redirection(Operator::Input)
                }
                '>' => Token::Redirection(Operator::Output(self.mode())),
                '1' if self.second() == Some('>') => {
                    self.take();
                    Token::Redirection(Operator::Output(self.mode()))
                }
                '2' if self.second() == Some('>') => {
                    self.take();
                    Token::Redirection(self.error_operator())
                }
                blank if blank.is_whitespace() => {
                    self.take();
                    continue;
                }
                _ => Token::Word(self.word()?),
            };
            return Ok(Some((token, column)));
        }
    }

    fn take(&mut self) -> Option<char> {
        let next = self.characters.next();
        self.column += usize::from(next.is_some());
        next
    }

    /// The character behind the next one.
    fn second(&self) -> Option<char> {
        self.characters.clone().nth(1)
    }

    /// Takes `>` or `>>`.
    fn mode(&mut self) -> Mode {
        self.take();
        if self.characters.peek() == Some(&'>') {
            self.take();
            Mode::Append
        } else {
            Mode::Replace
        }
    }

    /// Takes what stands behind the 2 of `2>`, `2>>` or `2>&1`.
    fn error_operator(&mut self) -> Operator {
        let mode = self.mode();
        let output = self.characters.peek() == Some(&'&') && self.second() == Some('1');
        if mode == Mode::Replace && output {
            self.take();
            self.take();
            return Operator::ErrorToOutput;
        }
        Operator::Error(mode)
    }

    fn doubled(&mut self, sign: char, double: Token, single: Token) -> Token {
        self.take();
        if self.characters.peek() == Some(&sign) {
            self.take();
            double
        } else {
            single
        }
    }

    fn word(&mut self) -> Result<Word, SyntaxError> {
        let mut word = Word::default();
        while let Some(&character) = self.characters.peek() {
            match character {
                ';' | '&' | '|' | '<' | '>' => break,
                blank if blank.is_whitespace() => break,
                _ => drop(self.take()),
            }
            match character {
                '\'' => self.single_quoted(&mut word)?,
                '"' => self.double_quoted(&mut word)?,
                '\\' => word.push(self.take().ok_or(SyntaxError::NothingToEscape)?),
                '$' => self.dollar(&mut word),
                plain => word.push(plain),
            }
        }
        Ok(word)
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        let column = self.column;
        word.touch();
        loop {
            match self.take() {
                None => {
                    return Err(SyntaxError::OpenQuote {
                        quote: '\'',
                        column,
                    });
                }
                Some('\'') => return Ok(()),
                Some(character) => word.push(character),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        let column = self.column;
        let open = SyntaxError::OpenQuote { quote: '"', column };
        word.touch();
        loop {
            match self.take() {
                None => return Err(open),
                Some('"') => return Ok(()),
                Some('$') => self.dollar(word),
                Some('\\') => match self.take() {
                    None => return Err(open),
                    Some(escaped @ ('"' | '\\' | '$')) => word.push(escaped),
                    Some(other) => {
                        word.push('\\');
                        word.push(other);
                    }
                },
                Some(character) => word.push(character),
            }
        }
    }

    /// Behind a `$`: only `$?` means something.
    fn dollar(&mut self, word: &mut Word) {
        if self.characters.peek() == Some(&'?') {
            self.take();
            word.pieces.push(Piece::Status);
        } else {
            word.push('$');
        }
    }
}
