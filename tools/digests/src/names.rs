//! From a symbol to the name that says which item it is, in every build of its crate.
//!
//! A v0 symbol holds more than the demangler prints, and not all of it lasts. What an inserted
//! `impl` block renumbers is left out: the ordinal of the block. What tells two items of one path
//! apart is kept: the ordinal of a `static N` among those of one function, and the crate that
//! instantiated a generic function, because each crate exports a copy of its own.

use crate::mangled::Details;
use core::fmt::Write as _;
use xxhash_rust::xxh3::xxh3_64;

/// The key of a name: its XXH3-64, never 0, because 0 says "no key".
///
/// `name` is what [`key_name`] gives for a symbol, or a type's path.
#[must_use]
pub fn key(name: &str) -> u64 {
    match xxh3_64(name.as_bytes()) {
        0 => 1,
        hash => hash,
    }
}

/// The name under which a symbol is known over all builds.
///
/// The demangled path with crate hashes and without `impl` ordinals; behind it, where there are
/// any, ` #` and the ordinals that tell items of one path apart, and ` in ` and the crate that
/// instantiated it. The name depends on nothing but the symbol: who imports it finds the same. A
/// symbol that is not mangled is its own name.
#[must_use]
pub fn key_name(symbol: &str) -> String {
    let symbol = without_llvm_suffix(symbol);
    let Ok(demangled) = rustc_demangle::try_demangle(symbol) else {
        return symbol.to_owned();
    };
    let mut name = demangled.to_string();
    let Some(details) = Details::scan(symbol) else {
        return name;
    };
    for (index, ordinal) in details.ordinals.iter().enumerate() {
        let separator = if index == 0 { " #" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(name, "{separator}{ordinal}");
    }
    if let Some(instantiated_in) = details.instantiated_in {
        name.push_str(" in ");
        name.push_str(instantiated_in);
    }
    name
}

/// The name of a symbol as a person reads it: without crate hashes.
#[must_use]
pub fn display_name(symbol: &str) -> String {
    let symbol = without_llvm_suffix(symbol);
    rustc_demangle::try_demangle(symbol)
        .map_or_else(|_| symbol.to_owned(), |demangled| format!("{demangled:#}"))
}

/// The demangled path of a symbol with crate hashes, and nothing else: the same for all copies of a
/// generic function.
#[must_use]
pub(crate) fn plain_name(symbol: &str) -> String {
    let symbol = without_llvm_suffix(symbol);
    rustc_demangle::try_demangle(symbol)
        .map_or_else(|_| symbol.to_owned(), |demangled| demangled.to_string())
}

/// `name` with the ordinals of `impl` blocks taken out: `{impl#3}` becomes `{impl}`.
#[must_use]
pub(crate) fn without_impl_ordinals(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("{impl#") {
        out.push_str(before);
        out.push_str("{impl");
        rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    }
    out.push_str(rest);
    out
}

/// Whether `name` is a closure's, or one that a closure is part of: a coroutine counts as one.
#[must_use]
pub(crate) fn mentions_closure(name: &str) -> bool {
    [
        "{closure#",
        "{closure_env#",
        "{async_",
        "{coroutine",
        "{gen_",
    ]
    .iter()
    .any(|mark| name.contains(mark))
}

/// Whether several items may have this path: it lies in an `impl` block or in a `const _`, whose
/// ordinals are no part of it.
#[must_use]
pub(crate) fn is_ambiguous(name: &str) -> bool {
    name.contains("{impl}") || name.contains("::_::")
}

/// The functions whose closures `name` (demangled) mentions: for each `F::{closure#N}` in it, `F`.
#[must_use]
pub(crate) fn closure_owners(name: &str) -> Vec<&str> {
    let mut owners: Vec<&str> = name
        .match_indices("::{closure#")
        .filter_map(|(end, _)| {
            let mut path = name.get(path_start(name, end)..end)?;
            while let Some((outer, _)) = path
                .rsplit_once("::")
                .filter(|(_, last)| last.starts_with("{closure#") && last.ends_with('}'))
            {
                path = outer;
            }
            Some(path)
        })
        .collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}

/// Where the path that ends at `end` starts: behind the bracket, comma or space it stands in.
fn path_start(name: &str, end: usize) -> usize {
    let mut depth = 0_u32;
    for (index, &byte) in name.as_bytes().iter().enumerate().take(end).rev() {
        let arrow = byte == b'>' && index > 0 && name.as_bytes().get(index - 1) == Some(&b'-');
        match byte {
            b'>' if arrow => {}
            b'>' | b')' | b']' => depth += 1,
            b'<' | b'(' | b'[' if depth == 0 => return index + 1,
            b'<' | b'(' | b'[' => depth -= 1,
            b',' | b' ' | b'&' | b'*' if depth == 0 => return index + 1,
            _ => {}
        }
    }
    0
}

/// LLVM appends `.llvm.` and a hash to what it makes visible for itself.
fn without_llvm_suffix(symbol: &str) -> &str {
    symbol
        .find(".llvm.")
        .and_then(|end| symbol.get(..end))
        .unwrap_or(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_symbol_is_its_own_name() {
        assert_eq!(key_name("memcpy"), "memcpy");
        assert_eq!(key_name("_Unwind_Resume"), "_Unwind_Resume");
    }

    #[test]
    fn impl_ordinals_are_left_out() {
        let first = key_name("_RNvXCs4Q2Qx8jI5j6_1aNtB2_5InnerNtB2_3Foo1a");
        let later = key_name("_RNvXs5_Cs4Q2Qx8jI5j6_1aNtB5_5InnerNtB5_3Foo1a");
        assert_eq!(first, later);
        assert!(
            first.starts_with("<a[") && first.ends_with(">::a"),
            "{first}"
        );
    }

    #[test]
    fn statics_of_one_name_are_told_apart() {
        let first = key_name("_RNvNvCs4Q2Qx8jI5j6_1a8localst21N");
        let second = key_name("_RNvNvCs4Q2Qx8jI5j6_1a8localst2s_1N");
        assert_ne!(first, second);
        assert!(second.ends_with("::N #1"), "{second}");
    }

    #[test]
    fn each_crate_has_its_own_copy_of_a_generic_function() {
        let name = key_name(
            "_RNvMsF_NtCslNYArtu3iFV_5alloc3vecINtB5_3VecyE16with_capacity_inCs4Q2Qx8jI5j6_1a",
        );
        assert!(name.ends_with(" in Cs4Q2Qx8jI5j6_1a"), "{name}");
        let by_reference = key_name(
            "_RINvNtNtNtCsgEmfK2I1SDS_4core5slice4sort6stable14driftsort_mainyNCINvMNtCslNYArtu3iFV_5alloc5sliceSy7sort_byNCNvCs4Q2Qx8jI5j6_1a4clos0E0INtNtB18_3vec3VecyEEB1M_",
        );
        assert!(
            by_reference.ends_with(" in Cs4Q2Qx8jI5j6_1a"),
            "{by_reference}"
        );
    }

    #[test]
    fn owners_of_closures_are_found_at_any_depth() {
        assert_eq!(closure_owners("a[1]::clos::{closure#0}"), ["a[1]::clos"]);
        assert_eq!(
            closure_owners(
                "core::sort::<u64, <[u64]>::sort_by<a::clos::{closure#0}>::{closure#0}>"
            ),
            ["<[u64]>::sort_by<a::clos::{closure#0}>", "a::clos"]
        );
        assert_eq!(
            closure_owners("<a::X as b::Y>::f::{closure#1}::{closure#0}"),
            ["<a::X as b::Y>::f"]
        );
    }

    #[test]
    fn no_prefix_of_a_symbol_panics() {
        let symbol = "_RINvNtNtNtCsgEmfK2I1SDS_4core5slice4sort6stable14driftsort_mainyNCINvMNtCslNYArtu3iFV_5alloc5sliceSy7sort_byNCNvCs4Q2Qx8jI5j6_1a4clos0E0INtNtB18_3vec3VecyEEB1M_";
        for end in 0..symbol.len() {
            let _ = key_name(&symbol[..end]);
        }
    }
}
