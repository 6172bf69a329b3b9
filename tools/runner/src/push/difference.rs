//! Which objects have to be sent: those whose content id is not that of what runs.

use super::error::PushError;
use image::{Build, lines, members::Candidate};
use push_protocol::{Identity, Object};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, iter, path::Path};

/// The components that the system has, by name, with their content ids.
pub struct Running(BTreeMap<String, u128>);

#[derive(Deserialize)]
struct RunningComponent {
    name: String,
    id: String,
}

impl Running {
    /// Reads the system's list.
    ///
    /// # Errors
    ///
    /// When it is not one.
    pub fn parse(document: &str) -> Result<Self, PushError> {
        let list: Vec<RunningComponent> = serde_json::from_str(document)
            .map_err(|error| PushError::Unexpected(format!("{error} in the list of components")))?;
        let entries = list.into_iter().map(|component| {
            let id = parse_id(&component.id)?;
            Ok((component.name, id))
        });
        entries.collect::<Result<_, _>>().map(Self)
    }
}

/// What has to be sent.
pub struct SwapSet {
    /// Indices of the members.
    pub members: Vec<usize>,
    /// Name and content id of every default member of the new build.
    pub identities: Vec<Identity>,
}

impl SwapSet {
    /// Compares a build with what runs. A component that the system does not have is sent when
    /// something that is sent imports from it: the system takes it as part of the same swap.
    ///
    /// # Errors
    ///
    /// When something runs that the build does not have.
    pub fn compute(build: &Build, running: &Running) -> Result<Self, PushError> {
        let mut members = Vec::new();
        let mut identities = Vec::new();
        for (index, member) in build.members.list.iter().enumerate() {
            if !member.unit.variant.is_empty() {
                continue;
            }
            let identity = identity(member)?;
            if running.0.get(&identity.name) != Some(&identity.content_id) {
                members.push(index);
            }
            identities.push(identity);
        }
        for name in running.0.keys() {
            if !identities.iter().any(|identity| identity.name == *name) {
                return Err(PushError::Vanished {
                    component: name.clone(),
                });
            }
        }
        Ok(Self {
            members,
            identities,
        })
    }

    /// Checks that there is a component of this name, and says so when it has not changed.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn require(&self, component: &str, build: &Build) -> Result<(), PushError> {
        let index = build
            .members
            .find(component)
            .ok_or_else(|| PushError::Unknown {
                component: component.to_owned(),
            })?;
        if !self.members.contains(&index) {
            eprintln!("push: {component} is the same as the one that runs");
        }
        Ok(())
    }

    /// Reads the objects, each with its line table behind it.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn read(&self, build: &Build) -> Result<Vec<Object>, PushError> {
        let members = self
            .members
            .iter()
            .filter_map(|index| build.members.list.get(*index));
        members
            .map(|member| {
                let mut bytes = read(&member.cached.object)?;
                let exact_id = parse_id(&member.cached.summary.ids.exact)?;
                let table = read(&member.cached.lines)?;
                let tables = lines::collect(iter::once((exact_id, table.as_slice())))
                    .map_err(|error| PushError::Build(error.to_string()))?;
                lines::append(&mut bytes, &tables);
                Ok(Object {
                    name: member.unit.name.clone(),
                    bytes,
                })
            })
            .collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, PushError> {
    fs::read(path).map_err(|source| PushError::Io {
        what: format!("reading {}", path.display()),
        source,
    })
}

fn identity(member: &Candidate) -> Result<Identity, PushError> {
    Ok(Identity {
        name: member.unit.name.clone(),
        version: member.unit.version.clone(),
        content_id: parse_id(&member.cached.summary.ids.content)?,
        exact_id: parse_id(&member.cached.summary.ids.exact)?,
    })
}

fn parse_id(text: &str) -> Result<u128, PushError> {
    u128::from_str_radix(text, 16)
        .map_err(|error| PushError::Unexpected(format!("the id {text:?}: {error}")))
}
