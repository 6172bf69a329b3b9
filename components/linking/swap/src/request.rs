//! What is to be swapped, and for what.

use crate::{Reason, Refusal};
use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use linker::format::archive::{Archive, Member};
use loader::{LoadError, ObjectBytes, ReceivedObject};

/// A set of components to swap as one transaction.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What is to be swapped.
    pub items: Vec<Item>,
    /// The content ids of the whole new build, when the objects come from one: every component
    /// that stays must be of it.
    pub build: Vec<Identity>,
    /// Whether to replace a component even by the build that it is of: its text is fresh then.
    pub anew: bool,
    /// Whether to stop before the commit.
    pub dry_run: bool,
    /// Whether running instances of an application are upgraded too; else only its next run is.
    pub instances: bool,
}

/// A component of a new build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its crate's version.
    pub version: String,
    /// Its content id.
    pub content_id: u128,
    /// Its exact id.
    pub exact_id: u128,
}

/// A component and the object that is to replace it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The component.
    pub component: String,
    /// The object.
    pub source: Source,
}

/// Where an object comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The archive's default build.
    Default,
    /// What a person wrote: an alternate's name, a content id, exact id, or an archive member.
    Named(String),
    /// From outside.
    Received(Arc<ReceivedObject>),
}

impl Item {
    /// Reads `NAME` or `NAME=BUILD`, where BUILD is an alternate's name, an id or an archive member.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((component, build)) => Self {
                component: component.to_owned(),
                source: Source::Named(build.to_owned()),
            },
            None => Self {
                component: text.to_owned(),
                source: Source::Default,
            },
        }
    }

    /// The object's bytes.
    pub(crate) fn find(&self, archive: &Archive<'static>) -> Result<ObjectBytes, Refusal> {
        let refuse = |reason| Refusal::new(&self.component, reason);
        let member = match &self.source {
            Source::Received(bytes) => return Ok(ObjectBytes::Received(Arc::clone(bytes))),
            Source::Default => archive.find(&self.component, ""),
            Source::Named(build) => {
                if archive.find(&self.component, "").is_none() {
                    return Err(refuse(Reason::Unknown));
                }
                let found = self.find_build(archive, build);
                let unknown = || {
                    refuse(Reason::UnknownBuild {
                        wanted: build.clone(),
                    })
                };
                return self.member(archive, found.ok_or_else(unknown)?);
            }
        };
        self.member(archive, member.ok_or_else(|| refuse(Reason::Unknown))?)
    }

    fn member(&self, archive: &Archive<'static>, member: u32) -> Result<ObjectBytes, Refusal> {
        let bytes = archive.object(member).map_err(|error| {
            Refusal::new(&self.component, Reason::Load(LoadError::Archive(error)))
        })?;
        let is_default = archive
            .member(member)
            .is_ok_and(|member| member.variant.count == 0);
        Ok(ObjectBytes::Archive {
            member,
            bytes,
            is_default,
        })
    }

    /// The member that `build` means: of this component the variant, then any member by its name
    /// (`name` or `name-variant`), then of this component the build with an id that begins so.
    fn find_build(&self, archive: &Archive<'_>, build: &str) -> Option<u32> {
        let position = |wanted: &dyn Fn(&Member) -> bool| {
            let found = archive.members.iter().position(|member| wanted(&member))?;
            u32::try_from(found).ok()
        };
        archive
            .find(&self.component, build)
            .or_else(|| position(&|member| member_name(archive, member) == build))
            .or_else(|| {
                let ours = |member: &Member| archive.text(member.name) == self.component;
                let id =
                    |id: u128| build.len() >= 8 && alloc::format!("{id:032x}").starts_with(build);
                position(&|member| ours(member) && (id(member.content_id) || id(member.exact_id)))
            })
    }
}

/// A member's name: the component's, for an alternate with the variant behind it.
#[must_use]
pub fn member_name(archive: &Archive<'_>, member: &Member) -> String {
    match archive.text(member.variant) {
        "" => archive.text(member.name).to_string(),
        variant => alloc::format!("{}-{variant}", archive.text(member.name)),
    }
}
