//! Dependencies point to the same or a lower layer, and never to an implementation.

use crate::{
    Complaints,
    workspace::{Package, Rules, Workspace},
};
use std::collections::BTreeMap;

/// Compares `cargo metadata` with `cfg/layers.toml`.
pub fn check(workspace: &Workspace) -> Complaints {
    let mut complaints = Complaints::new();
    for (name, package) in &workspace.packages {
        let Some(own) = layer(package, &workspace.rules) else {
            complaints.push(format!(
                "{name}: its folder {} is in no layer",
                package.folder.display()
            ));
            continue;
        };
        for dependency in &package.dependencies {
            complaints.extend(edge(workspace, (name, own), dependency));
        }
    }
    for name in workspace.rules.implementations.keys() {
        if !workspace.packages.contains_key(name) {
            complaints.push(format!(
                "cfg/layers.toml: implementation {name} does not exist"
            ));
        }
    }
    complaints.extend(chain(workspace));
    complaints
}

/// Position of the package's folder in the list of layers.
fn layer(package: &Package, rules: &Rules) -> Option<usize> {
    rules
        .layers
        .iter()
        .position(|layer| package.folder.starts_with(layer))
}

fn edge(workspace: &Workspace, from: (&str, usize), to: &str) -> Option<String> {
    let (name, own) = from;
    if let Some(reason) = workspace.rules.implementations.get(to) {
        return Some(format!(
            "{name} depends on {to}, which nobody may depend on: {reason}"
        ));
    }
    let target = workspace.packages.get(to)?;
    let other = layer(target, &workspace.rules)?;
    (other > own).then(|| {
        let (above, below) = (&workspace.rules.layers[other], &workspace.rules.layers[own]);
        format!("{name} in {below} depends on {to} in {above}, which is higher")
    })
}

fn chain(workspace: &Workspace) -> Option<String> {
    let mut known = BTreeMap::new();
    let loaded = workspace
        .packages
        .iter()
        .filter(|(_, p)| !p.folder.starts_with("tools"));
    let longest = loaded
        .map(|(name, _)| longest_chain(workspace, name, &mut known))
        .max_by_key(Vec::len)
        .unwrap_or_default();
    (longest.len() > workspace.rules.longest_chain).then(|| {
        let (length, limit) = (longest.len(), workspace.rules.longest_chain);
        format!(
            "a chain of {length} components, most is {limit}: {}",
            longest.join(" → ")
        )
    })
}

fn longest_chain(
    workspace: &Workspace,
    name: &str,
    known: &mut BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    if let Some(chain) = known.get(name) {
        return chain.clone();
    }
    let dependencies = workspace
        .packages
        .get(name)
        .map(|package| &package.dependencies);
    let below = dependencies
        .into_iter()
        .flatten()
        .map(|dependency| longest_chain(workspace, dependency, known))
        .max_by_key(Vec::len)
        .unwrap_or_default();
    // The contract with the nucleus is no component.
    let package = workspace.packages.get(name);
    let own = package.filter(|package| !package.folder.starts_with("kernel"));
    let chain: Vec<String> = own
        .map(|_| name.to_owned())
        .into_iter()
        .chain(below)
        .collect();
    known.insert(name.to_owned(), chain.clone());
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Manifest;

    fn workspace(edges: &[(&str, &str, &[&str])]) -> Workspace {
        let package = |folder: &str, dependencies: &[&str]| Package {
            folder: folder.into(),
            roots: vec![],
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        };
        Workspace {
            root: ".".into(),
            packages: edges
                .iter()
                .map(|(n, f, d)| ((*n).to_owned(), package(f, d)))
                .collect(),
            manifest: Manifest {
                grants: BTreeMap::new(),
                alternates: BTreeMap::new(),
            },
            rules: Rules {
                layers: vec![
                    "kernel".into(),
                    "components/machine".into(),
                    "applications".into(),
                ],
                longest_chain: 2,
                implementations: [("policy".to_owned(), "it is one".to_owned())].into(),
            },
            files: vec![],
        }
    }

    const POLICY: (&str, &str, &[&str]) = ("policy", "components/machine/policy", &[]);

    #[test]
    fn downward_edges_are_fine() {
        let fine = workspace(&[
            POLICY,
            ("a", "applications/a", &["m"]),
            ("m", "components/machine/m", &[]),
        ]);
        assert_eq!(check(&fine), Complaints::new());
    }

    #[test]
    fn an_upward_edge_is_named() {
        let wrong = workspace(&[
            POLICY,
            ("m", "components/machine/m", &["a"]),
            ("a", "applications/a", &[]),
        ]);
        assert_eq!(
            check(&wrong),
            ["m in components/machine depends on a in applications, which is higher"]
        );
    }

    #[test]
    fn nobody_depends_on_an_implementation() {
        let wrong = workspace(&[POLICY, ("a", "applications/a", &["policy"])]);
        assert_eq!(
            check(&wrong),
            ["a depends on policy, which nobody may depend on: it is one"]
        );
    }

    #[test]
    fn a_long_chain_is_shown() {
        let long = workspace(&[
            POLICY,
            ("a", "components/machine/a", &["b"]),
            ("b", "components/machine/b", &["c"]),
            ("c", "components/machine/c", &[]),
        ]);
        assert_eq!(
            check(&long),
            ["a chain of 3 components, most is 2: a → b → c"]
        );
    }
}
