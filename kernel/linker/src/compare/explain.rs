//! Words for a difference: which field, parameter, variant or method it is.
//!
//! Shapes are lines of text that the image builder made for people. What is read back from them here
//! explains a refusal and decides nothing.

use super::text;
use crate::format::metadata::{Item, ItemKind, Metadata};
use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The component's own types that differ: what other differences come from.
pub(super) struct Culprits<'m> {
    types: Vec<Culprit<'m>>,
}

struct Culprit<'m> {
    name: &'m str,
    old: &'m str,
    new: &'m str,
}

impl<'m> Culprits<'m> {
    pub(super) fn new(old: &Metadata<'m>, new: &Metadata<'m>, differing: &[(Item, Item)]) -> Self {
        let types = differing
            .iter()
            .filter(|(before, _)| before.kind == ItemKind::Type as u32)
            .map(|(before, after)| Culprit {
                name: text(old, before.name),
                old: text(old, before.shape),
                new: text(new, after.shape),
            })
            .filter(|culprit| !culprit.name.is_empty())
            .collect();
        Self { types }
    }

    /// How something with this name and these shapes differs, and through which type if its own
    /// shape reads the same.
    pub(super) fn explain(&self, name: &str, old: &str, new: &str) -> (Option<String>, String) {
        if old != new {
            return (None, first_difference(old, new));
        }
        let mut seen = Vec::from([name]);
        let mut texts = Vec::from([name, old]);
        // Widening rings: the nearest type whose own text differs is the one to name.
        while !texts.is_empty() {
            let mut next = Vec::new();
            for culprit in &self.types {
                let mentioned = texts.iter().any(|text| mentions(text, culprit.name));
                if !mentioned || seen.contains(&culprit.name) {
                    continue;
                }
                if culprit.old != culprit.new {
                    let how = first_difference(culprit.old, culprit.new);
                    return (Some(culprit.name.to_owned()), how);
                }
                seen.push(culprit.name);
                next.push(culprit.old);
            }
            texts = next;
        }
        (
            None,
            "a type of another component that it reaches differs, or what `#[track_caller]` passes"
                .to_owned(),
        )
    }
}

/// Whether `text` has `name` as a whole path.
fn mentions(text: &str, name: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    text.match_indices(name).any(|(start, _)| {
        let before = text
            .get(..start)
            .and_then(|before| before.chars().next_back());
        let after = text
            .get(start + name.len()..)
            .and_then(|after| after.chars().next());
        // A field's name ends with a colon too, but a space stands between.
        !before.is_some_and(part_of_name) && !after.is_some_and(|c| c != ':' && part_of_name(c))
    })
}

/// The first thing in which two shapes differ.
fn first_difference(old: &str, new: &str) -> String {
    let how = match (head(old), head(new)) {
        ("struct" | "union", "struct" | "union") => fields(old, new),
        ("enum", "enum") => variants(old, new),
        ("fn", "fn") => signature(old, new),
        ("dyn", "dyn") => methods(old, new),
        _ => None,
    };
    how.unwrap_or_else(|| format!("was {old}, is {new}"))
}

/// The word that a shape begins with.
fn head(shape: &str) -> &str {
    shape
        .split(|c: char| !c.is_alphabetic())
        .next()
        .unwrap_or_default()
}

/// Fields: a changed type says more than a field that came or went, and that more than one that
/// moved because of it.
fn fields(old: &str, new: &str) -> Option<String> {
    let old_fields: Vec<_> = entries(old, '{').into_iter().filter_map(field).collect();
    let new_fields: Vec<_> = entries(new, '{').into_iter().filter_map(field).collect();
    let find = |fields: &[(_, _, _)], name: &str| {
        fields
            .iter()
            .copied()
            .find(|&(other, _, _): &(&str, &str, &str)| other == name)
    };
    let both = || {
        old_fields
            .iter()
            .filter_map(|&before| Some((before, find(&new_fields, before.0)?)))
    };
    let changed = |(name, old_type, old_at), (_, new_type, new_at): (&str, &str, &str)| {
        format!("field `{name}` was {old_type} @{old_at}, is {new_type} @{new_at}")
    };
    if let Some((before, after)) = both().find(|(before, after)| before.1 != after.1) {
        return Some(changed(before, after));
    }
    for &(name, type_, at) in &old_fields {
        if find(&new_fields, name).is_none() {
            return Some(format!("field `{name}`, {type_} @{at}, is gone"));
        }
    }
    for &(name, type_, at) in &new_fields {
        if find(&old_fields, name).is_none() {
            return Some(format!("field `{name}`, {type_} @{at}, is new"));
        }
    }
    if let Some((before, after)) = both().find(|(before, after)| before.2 != after.2) {
        return Some(changed(before, after));
    }
    Some(format!(
        "was {}, is {}",
        after_braces(old),
        after_braces(new)
    ))
}

/// `name: type @offset` in its three parts.
fn field(entry: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = entry.split_once(": ")?;
    let (type_, offset) = rest.rsplit_once(" @")?;
    Some((name, type_, offset))
}

/// Variants: changed fields say more than a variant that came or went, and that more than a value
/// that shifted because of it.
fn variants(old: &str, new: &str) -> Option<String> {
    let old_variants = entries(old, '{');
    let new_variants = entries(new, '{');
    let find = |variants: &[&str], name: &str| {
        variants.iter().any(|variant| variant_name(variant) == name)
    };
    let both = || {
        old_variants.iter().filter_map(|&before| {
            let same = |after: &&&str| variant_name(after) == variant_name(before);
            Some((before, *new_variants.iter().find(same)?))
        })
    };
    let changed = |(before, after): (&str, &str)| {
        format!(
            "variant `{}` was {before}, is {after}",
            variant_name(before)
        )
    };
    let fields = |variant: &'_ str| -> String {
        block(variant, '{')
            .map_or("", |(start, end)| {
                variant.get(start..end).unwrap_or_default()
            })
            .to_owned()
    };
    let retyped = both().find(|&(before, after)| fields(before) != fields(after));
    if let Some(pair) = retyped {
        return Some(changed(pair));
    }
    let mut names = old_variants.iter().map(|variant| variant_name(variant));
    if let Some(name) = names.find(|name| !find(&new_variants, name)) {
        return Some(format!("variant `{name}` is gone"));
    }
    let mut names = new_variants.iter().map(|variant| variant_name(variant));
    if let Some(name) = names.find(|name| !find(&old_variants, name)) {
        return Some(format!("variant `{name}` is new"));
    }
    both().find(|(before, after)| before != after).map(changed)
}

fn variant_name(variant: &str) -> &str {
    variant.split([' ', '{']).next().unwrap_or_default()
}

fn signature(old: &str, new: &str) -> Option<String> {
    let old_parameters = entries(old, '(');
    let new_parameters = entries(new, '(');
    let differing = old_parameters
        .iter()
        .zip(&new_parameters)
        .position(|(a, b)| a != b);
    if old_parameters.len() == new_parameters.len()
        && let Some(index) = differing
    {
        let (before, after) = (old_parameters.get(index)?, new_parameters.get(index)?);
        return Some(format!("parameter {} was {before}, is {after}", index + 1));
    }
    if old_parameters.len() != new_parameters.len() {
        let (before, after) = (old_parameters.len(), new_parameters.len());
        return Some(format!(
            "had {before} parameters, has {after}: was {old}, is {new}"
        ));
    }
    Some(format!("result was {}, is {}", result(old), result(new)))
}

/// The result's type of a signature.
fn result(signature: &str) -> &str {
    let end = block(signature, '(').map_or(0, |(_, end)| end);
    signature
        .get(end..)
        .and_then(|rest| rest.strip_prefix(" -> "))
        .unwrap_or("()")
}

fn methods(old: &str, new: &str) -> Option<String> {
    let old_methods = entries(old, '[');
    let new_methods = entries(new, '[');
    let index = old_methods
        .iter()
        .zip(&new_methods)
        .position(|(a, b)| a != b);
    let Some(index) = index else {
        let (before, after) = (old_methods.len(), new_methods.len());
        return Some(format!("had {before} entries, has {after}"));
    };
    let (before, after) = (old_methods.get(index)?, new_methods.get(index)?);
    Some(format!("entry {index} was {before}, is {after}"))
}

/// What stands behind the braces of a shape: size and alignment.
fn after_braces(shape: &str) -> &str {
    let end = block(shape, '{').map_or(0, |(_, end)| end);
    shape.get(end..).unwrap_or_default().trim_start()
}

/// What stands, divided by commas, in the first block that `open` opens.
fn entries(shape: &str, open: char) -> Vec<&str> {
    let Some((start, end)) = block(shape, open) else {
        return Vec::new();
    };
    let inside = shape.get(start + 1..end - 1).unwrap_or_default();
    let mut entries = Vec::new();
    let mut entry_start = 0;
    for (index, c, depth) in depths(inside) {
        if c == ',' && depth == 0 {
            entries.push(inside.get(entry_start..index).unwrap_or_default());
            entry_start = index + 1;
        }
    }
    entries.push(inside.get(entry_start..).unwrap_or_default());
    entries
        .into_iter()
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// Where the first block that `open` opens starts, and the byte behind its end.
fn block(shape: &str, open: char) -> Option<(usize, usize)> {
    let start = shape.find(open)?;
    let (end, _, _) =
        depths(shape.get(start..)?).find(|&(_, c, depth)| depth == 0 && ")]}>".contains(c))?;
    Some((start, start + end + 1))
}

/// Each character with its place and the number of brackets open around it: a bracket itself stands
/// outside. The `>` of an arrow is none.
fn depths(text: &str) -> impl Iterator<Item = (usize, char, u32)> {
    let mut depth = 0_u32;
    let mut last = ' ';
    text.char_indices().map(move |(index, c)| {
        let closes = matches!(c, ')' | ']' | '}') || (c == '>' && last != '-');
        if closes {
            depth = depth.saturating_sub(1);
        }
        let here = depth;
        if matches!(c, '(' | '[' | '{' | '<') {
            depth += 1;
        }
        // What looks like the end of a block is one only when it closes something.
        let shown = if c == '>' && !closes { '-' } else { c };
        last = c;
        (index, shown, here)
    })
}
