//! Chooses the members of the archive: what belongs to the system, and all that it imports.

use crate::{cache::Cached, error::Violation, summary::Export, unit::Unit};
use std::collections::{BTreeMap, BTreeSet};

/// A unit and its processed object.
pub struct Candidate {
    /// The unit.
    pub unit: Unit,
    /// Its object.
    pub cached: Cached,
}

/// The members of an archive, ordered by name and variant.
pub struct Members {
    /// Unit and object of each.
    pub list: Vec<Candidate>,
    /// Of each, the indices of the members that define what it imports.
    pub dependencies: Vec<Vec<usize>>,
    /// Who defines each key: the default members' exports.
    pub definitions: BTreeMap<u64, (usize, Export)>,
    /// Rules that the members break together.
    pub violations: Vec<Violation>,
}

impl Members {
    /// Chooses from `candidates`: those that are roots, alternates, and whatever defines an import
    /// of a member. The other candidates are private to the nucleus.
    pub fn choose(mut candidates: Vec<Candidate>) -> Self {
        candidates
            .sort_by(|a, b| (&a.unit.name, &a.unit.variant).cmp(&(&b.unit.name, &b.unit.variant)));
        let definers = definers(&candidates);
        let mut open: Vec<usize> = (0..candidates.len())
            .filter(|&index| candidates[index].unit.root)
            .collect();
        let mut chosen = BTreeSet::new();
        while let Some(index) = open.pop() {
            if chosen.insert(index) {
                let imports = &candidates[index].cached.summary.imports;
                open.extend(
                    imports
                        .iter()
                        .filter_map(|import| definers.get(&import.key)),
                );
            }
        }
        let mut index = 0;
        candidates.retain(|_| {
            index += 1;
            chosen.contains(&(index - 1))
        });
        let mut members = Self {
            list: candidates,
            dependencies: Vec::new(),
            definitions: BTreeMap::new(),
            violations: Vec::new(),
        };
        for member in &members.list {
            members
                .violations
                .extend(member.cached.summary.violations.iter().cloned());
        }
        members.define();
        members.resolve();
        members.check_keys();
        members.check_alternates();
        members
    }

    /// The index of the default member with this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.list
            .iter()
            .position(|member| member.unit.name == name && member.unit.variant.is_empty())
    }

    /// Collects the definitions of the default members; reports strong duplicates.
    fn define(&mut self) {
        for (index, member) in self.list.iter().enumerate() {
            if !member.unit.variant.is_empty() {
                continue;
            }
            for export in &member.cached.summary.exports {
                match self.definitions.get(&export.key) {
                    Some((_, known)) if export.weak && !known.weak => {}
                    Some((other, known)) if export.weak == known.weak && !known.weak => {
                        self.violations.push(Violation {
                            component: member.unit.name.clone(),
                            message: format!(
                                "defines {}, which {} defines, too",
                                digests::display_name(&export.symbol),
                                self.list[*other].unit.name
                            ),
                        });
                    }
                    Some((_, known)) if export.weak && known.weak => {}
                    _ => {
                        self.definitions.insert(export.key, (index, export.clone()));
                    }
                }
            }
        }
    }

    /// Finds who defines each import; reports what nobody defines.
    fn resolve(&mut self) {
        let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (index, member) in self.list.iter().enumerate() {
            let mut dependencies = BTreeSet::new();
            for import in &member.cached.summary.imports {
                match self.definitions.get(&import.key) {
                    Some((definer, _)) if *definer != index => {
                        dependencies.insert(*definer);
                    }
                    Some(_) => {}
                    None if import.weak => {}
                    None => missing
                        .entry(&import.symbol)
                        .or_default()
                        .push(member.unit.file_name()),
                }
            }
            self.dependencies.push(dependencies.into_iter().collect());
        }
        self.violations
            .extend(missing.into_iter().map(|(symbol, importers)| Violation {
                component: importers.join(", "),
                message: format!(
                    "imports {}, which nobody defines",
                    digests::display_name(symbol)
                ),
            }));
    }

    /// Reports alternates that do nothing else than the default.
    fn check_alternates(&mut self) {
        let same = self.list.iter().filter(|member| {
            let default = self.find(&member.unit.name).map(|index| &self.list[index]);
            !member.unit.variant.is_empty()
                && default.is_some_and(|default| {
                    default.cached.summary.ids.content == member.cached.summary.ids.content
                })
        });
        let violations: Vec<Violation> = same
            .map(|member| Violation {
                component: member.unit.file_name(),
                message: "is the same as the default build".into(),
            })
            .collect();
        self.violations.extend(violations);
    }

    /// Reports two names with one key: the key says nothing any more.
    fn check_keys(&mut self) {
        let mut names: BTreeMap<u64, String> = BTreeMap::new();
        for member in &self.list {
            let summary = &member.cached.summary;
            let exports = summary
                .exports
                .iter()
                .map(|export| (export.key, &export.symbol));
            let imports = summary
                .imports
                .iter()
                .map(|import| (import.key, &import.symbol));
            for (key, symbol) in exports.chain(imports) {
                let name = digests::key_name(symbol);
                let known = names.entry(key).or_insert_with(|| name.clone());
                if *known != name {
                    self.violations.push(Violation {
                        component: member.unit.name.clone(),
                        message: format!("key {key:#018x} of {name} is that of {known}, too"),
                    });
                }
            }
        }
    }
}

/// Who defines each key among the default candidates; a strong definition goes before a weak one.
fn definers(candidates: &[Candidate]) -> BTreeMap<u64, usize> {
    let mut definers = BTreeMap::new();
    for strong in [false, true] {
        for (index, candidate) in candidates.iter().enumerate() {
            if !candidate.unit.variant.is_empty() {
                continue;
            }
            for export in &candidate.cached.summary.exports {
                if export.weak != strong {
                    definers.insert(export.key, index);
                }
            }
        }
    }
    definers
}
