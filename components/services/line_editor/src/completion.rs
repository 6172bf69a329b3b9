//! What the Tab key offers.

use alloc::{string::String, vec::Vec};

/// Knows how a line may go on.
pub trait Completer {
    /// How the text before the cursor may go on.
    fn complete(&self, before_cursor: &str) -> Completion;
}

/// How a line may go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where in the text the word begins that the candidates replace, in bytes.
    pub start: usize,
    /// The words that are possible there.
    pub candidates: Vec<String>,
}

/// Knows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCompletion;

impl Completer for NoCompletion {
    fn complete(&self, _: &str) -> Completion {
        Completion::default()
    }
}

/// The longest text that all candidates begin with.
pub(crate) fn common_prefix(candidates: &[String]) -> &str {
    let Some((first, rest)) = candidates.split_first() else {
        return "";
    };
    let mut length = first.len();
    for candidate in rest {
        let same = first
            .char_indices()
            .zip(candidate.chars())
            .find(|((_, left), right)| left != right)
            .map_or(first.len().min(candidate.len()), |((at, _), _)| at);
        length = length.min(same);
    }
    first.get(..length).unwrap_or("")
}

/// The candidates as lines of columns that fit into `width`.
pub(crate) fn columns(candidates: &[String], width: usize) -> Vec<String> {
    let widest = candidates
        .iter()
        .map(|candidate| candidate.chars().count())
        .max()
        .unwrap_or(0);
    let across = (width / (widest + 2)).max(1);
    let down = candidates.len().div_ceil(across);
    let mut lines = Vec::new();
    for row in 0..down {
        let mut line = String::new();
        for candidate in candidates.iter().skip(row).step_by(down) {
            line.push_str(candidate);
            let padding = widest + 2 - candidate.chars().count();
            line.extend(core::iter::repeat_n(' ', padding));
        }
        line.truncate(line.trim_end().len());
        lines.push(line);
    }
    lines
}
