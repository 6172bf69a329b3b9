//! The manifest: what is started when, who may use `unsafe`, what the shell knows.

use crate::{
    error::{Error, Result},
    workspace::Package,
};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// A manifest, or several merged into one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The stages, in start order.
    #[serde(default, rename = "stage")]
    pub stages: Vec<Stage>,
    /// What runs when all stages are done.
    pub session: Option<Session>,
    /// Crates that may use `unsafe`, with the reason.
    #[serde(default, rename = "unsafe")]
    pub grants: BTreeMap<String, String>,
    /// Second builds: the name of the variant (and of the cargo feature), and the crates.
    #[serde(default)]
    pub alternates: BTreeMap<String, Vec<String>>,
    /// Applications of which there is a second object with crates that they use linked into it, to
    /// be compared with linking at run time.
    #[serde(default)]
    pub statically_linked: BTreeMap<String, Vec<String>>,
    /// What the user types.
    #[serde(default)]
    pub commands: BTreeMap<String, Command>,
    /// Packages outside `kernel/`, `components/` and `applications/` that the image carries, too,
    /// besides those that are started or run.
    #[serde(default)]
    pub packages: Vec<String>,
}

/// A stage of the start-up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The components that it starts, in order.
    pub start: Vec<String>,
    /// Whether the boot goes on without one of them that cannot start.
    #[serde(default)]
    pub optional: bool,
}

/// What `init` runs on the console.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The application.
    pub application: String,
}

/// What the user types.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The application that runs.
    pub application: String,
    /// Its line in `help`.
    pub summary: String,
}

impl Manifest {
    /// Reads `path` and adds what is in `extra`, in order.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not a manifest.
    pub fn read(path: &Path, extra: &[impl AsRef<Path>]) -> Result<Self> {
        let mut manifest = Self::read_one(path)?;
        for path in extra {
            manifest.merge(Self::read_one(path.as_ref())?);
        }
        Ok(manifest)
    }

    fn read_one(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        toml::from_str(&text).map_err(|error| Error::Manifest {
            path: path.to_owned(),
            message: error.to_string(),
        })
    }

    /// Adds `extra`: a stage of the same name grows, everything else is united.
    pub fn merge(&mut self, extra: Self) {
        for stage in extra.stages {
            match self
                .stages
                .iter_mut()
                .find(|known| known.name == stage.name)
            {
                Some(known) => known.start.extend(stage.start),
                None => self.stages.push(stage),
            }
        }
        self.session = extra.session.or(self.session.take());
        self.grants.extend(extra.grants);
        for (variant, crates) in extra.alternates {
            self.alternates.entry(variant).or_default().extend(crates);
        }
        self.statically_linked.extend(extra.statically_linked);
        self.commands.extend(extra.commands);
        self.packages.extend(extra.packages);
    }

    /// Whether the image carries `package` because the manifest lists, starts or runs it.
    pub(crate) fn wants(&self, package: &Package) -> bool {
        let started = self.stages.iter().flat_map(|stage| &stage.start);
        let run = self.commands.values().map(|command| &command.application);
        let session = self.session.iter().map(|session| &session.application);
        self.packages.contains(&package.name)
            || started
                .chain(run)
                .chain(session)
                .any(|name| *name == package.crate_name)
    }

    /// Every crate that the manifest names, and where.
    pub fn names(&self) -> impl Iterator<Item = (&str, String)> {
        let stages = self.stages.iter().flat_map(|stage| {
            stage
                .start
                .iter()
                .map(|name| (name.as_str(), format!("stage \"{}\"", stage.name)))
        });
        let session = self
            .session
            .iter()
            .map(|session| (session.application.as_str(), "[session]".into()));
        let grants = self
            .grants
            .keys()
            .map(|name| (name.as_str(), "[unsafe]".into()));
        let alternates = self
            .alternates
            .values()
            .flatten()
            .map(|name| (name.as_str(), "[alternates]".into()));
        let statically_linked = self
            .statically_linked
            .iter()
            .flat_map(|(name, crates)| crates.iter().chain([name]))
            .map(|name| (name.as_str(), "[statically_linked]".into()));
        let commands = self
            .commands
            .iter()
            .map(|(name, command)| (command.application.as_str(), format!("command \"{name}\"")));
        stages
            .chain(session)
            .chain(grants)
            .chain(alternates)
            .chain(statically_linked)
            .chain(commands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = r#"
        [[stage]]
        name = "memory"
        start = ["cpu"]
        [session]
        application = "shell"
        [unsafe]
        cpu = "tables"
        [alternates]
        alternate = ["hello"]
        [commands]
        hello = { application = "hello", summary = "say hello" }
    "#;

    #[test]
    fn an_extra_manifest_extends_stages_and_lists() {
        let mut manifest: Manifest = toml::from_str(MAIN).unwrap();
        let extra = r#"
            packages = ["counter"]
            [[stage]]
            name = "memory"
            start = ["counter"]
            [alternates]
            alternate = ["counter"]
        "#;
        manifest.merge(toml::from_str(extra).unwrap());
        assert_eq!(manifest.stages.len(), 1);
        assert_eq!(manifest.stages[0].start, ["cpu", "counter"]);
        assert_eq!(manifest.alternates["alternate"], ["hello", "counter"]);
        assert_eq!(manifest.session.unwrap().application, "shell");
    }

    #[test]
    fn every_mention_of_a_crate_is_named() {
        let manifest: Manifest = toml::from_str(MAIN).unwrap();
        let names: Vec<_> = manifest.names().map(|(name, _)| name).collect();
        assert_eq!(names, ["cpu", "shell", "cpu", "hello", "hello"]);
    }

    #[test]
    fn an_unknown_table_is_refused() {
        assert!(toml::from_str::<Manifest>("[unsave]\ncpu = \"typo\"\n").is_err());
    }
}
