//! Names that look like a mistyped one.

use alloc::vec::Vec;

/// Most names that are offered.
const OFFERED: usize = 3;

/// The names among `known` that are most like `typed`, best first; none when nothing is near.
#[must_use]
pub fn matches<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let tolerance = if typed.chars().count() < 4 { 1 } else { 2 };
    let mut ranked: Vec<(usize, &str)> = known
        .filter_map(|name| {
            let extends = typed.len() >= 2 && (name.starts_with(typed) || typed.starts_with(name));
            let distance = distance(typed, name);
            (extends || distance <= tolerance).then_some((distance, name))
        })
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked
        .into_iter()
        .take(OFFERED)
        .map(|(_, name)| name)
        .collect()
}

/// Edits (insert, delete, replace one character, swap two neighbours) that turn `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    let mut last_left = None;
    for (row, a) in left.chars().enumerate() {
        let mut current = Vec::with_capacity(previous.len());
        current.push(row + 1);
        for (column, &b) in right.iter().enumerate() {
            let at =
                |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&previous, column) + usize::from(a != b);
            let mut best = replaced
                .min(at(&previous, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column > 0 && last_left == Some(b) && right.get(column - 1) == Some(&a);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
        }
        before = core::mem::replace(&mut previous, current);
        last_left = Some(a);
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, matches};
    use alloc::vec;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "ps"), 2);
        assert_eq!(distance("swpa", "swap"), 1);
        assert_eq!(distance("compnents", "components"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn offers_the_nearest_first() {
        let known = ["help", "hello", "ps", "swap", "components"];
        assert_eq!(matches("helo", known.into_iter()), vec!["hello", "help"]);
        assert_eq!(matches("comp", known.into_iter()), vec!["components"]);
        assert!(matches("zzzzz", known.into_iter()).is_empty());
    }
}
