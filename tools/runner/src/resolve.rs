//! `strake resolve`: function, file and line of what a report names by component, build and offset.
//!
//! The debug information is that of the builds in `build/debug/by-id`, where those of older builds stay:
//! a report may be older than the last build. What no build here has is refused, since the lines of
//! another build would be wrong.

use crate::{error::RunnerError, machine::BUILD};
use image::line_source::{Source, function_at};
use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Hexadecimal digits of an id that have to be given at least.
const MIN_ID_DIGITS: usize = 12;

const USAGE: &str = "COMPONENT@ID+OFFSET such as faults@0123456789abcdef+0x1a2b, as reports have it; \
                     without any, a report on standard input";

/// What to resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Folder of the build.
    pub out: PathBuf,
    /// The places; none means a report on standard input.
    pub places: Vec<Place>,
}

/// An instruction as reports name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The component.
    pub component: String,
    /// The first digits of its object's exact id.
    pub id: String,
    /// Offset in its text.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}+{:#x}", self.component, self.id, self.offset)
    }
}

impl Place {
    /// Reads `COMPONENT@ID+0xOFFSET`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (build, offset) = text.rsplit_once("+0x")?;
        // A component's own name may have a version behind an `@`.
        let (component, id) = build.rsplit_once('@')?;
        let is_hex = id.bytes().all(|digit| digit.is_ascii_hexdigit());
        if component.is_empty() || !is_hex || !(MIN_ID_DIGITS..=32).contains(&id.len()) {
            return None;
        }
        Some(Self {
            component: component.to_owned(),
            id: id.to_ascii_lowercase(),
            offset: u64::from_str_radix(offset, 16).ok()?,
        })
    }
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// When an argument is neither a place nor `--out` with a folder.
    pub fn from_arguments(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, RunnerError> {
        let wrong = |value| RunnerError::Setting {
            name: "resolve",
            value,
            expected: USAGE,
        };
        let mut options = Self {
            out: BUILD.into(),
            places: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if argument == "--out" {
                options.out = arguments.next().ok_or_else(|| wrong(argument))?.into();
            } else {
                let place = Place::parse(&argument).ok_or_else(|| wrong(argument))?;
                options.places.push(place);
            }
        }
        Ok(options)
    }
}

/// Resolves what was asked for, or all that is named in the lines of standard input, each behind its
/// line; answers whether everything is known.
///
/// # Errors
///
/// When standard input or a file of the build cannot be read.
pub fn run(options: &Options) -> Result<bool, RunnerError> {
    let mut resolver = Resolver::new(&options.out);
    let mut complete = true;
    if options.places.is_empty() {
        for line in io::stdin().lines() {
            let line = line.map_err(RunnerError::io("reading standard input"))?;
            println!("{line}");
            for place in line
                .split([' ', '\t', '(', ')', ','])
                .filter_map(Place::parse)
            {
                complete &= resolver.tell(&place)?;
            }
        }
    }
    for place in &options.places {
        complete &= resolver.tell(place)?;
    }
    Ok(complete)
}

/// The builds whose objects have been read.
pub struct Resolver {
    out: PathBuf,
    known: HashMap<String, Build>,
}

struct Build {
    object: Vec<u8>,
    source: Source,
}

/// What an instruction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its function and the offset there.
    pub function: Option<(String, u64)>,
    /// The lines that it comes from, the innermost first; each was inlined into the next one.
    pub lines: Vec<(String, u32)>,
}

impl Resolver {
    /// Resolves by what was built in `out`.
    #[must_use]
    pub fn new(out: &Path) -> Self {
        Self {
            out: out.to_owned(),
            known: HashMap::new(),
        }
    }

    /// What `place` is.
    ///
    /// # Errors
    ///
    /// When no build here has its id, or a file of the build cannot be read.
    pub fn resolve(&mut self, place: &Place) -> Result<Resolved, ResolveError> {
        if !self.known.contains_key(&place.id) {
            let build = self.read(place)?;
            self.known.insert(place.id.clone(), build);
        }
        let Some(build) = self.known.get(&place.id) else {
            return Err(ResolveError::OtherBuild(place.clone()));
        };
        let function = function_at(&place.component, &build.object, place.offset);
        let lines = u32::try_from(place.offset).map(|offset| build.source.at(offset));
        let lines = lines.unwrap_or_default().into_iter();
        Ok(Resolved {
            function: function.map_err(ResolveError::Object)?,
            lines: lines.map(|(file, line)| (file.to_owned(), line)).collect(),
        })
    }

    fn read(&self, place: &Place) -> Result<Build, ResolveError> {
        let folder = self.out.join("debug/by-id");
        let failed = |path: &Path| {
            let what = format!("reading {}", path.display());
            move |source| ResolveError::Runner(RunnerError::io(what)(source))
        };
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let path = entry.map_err(failed(&folder))?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if name.starts_with(&place.id) {
                let object = fs::read(&path).map_err(failed(&path))?;
                let source = Source::read(&place.component, &object);
                return Ok(Build {
                    object,
                    source: source.map_err(ResolveError::Object)?,
                });
            }
        }
        Err(ResolveError::OtherBuild(place.clone()))
    }

    /// Prints what `place` is, or that no build here has it.
    fn tell(&mut self, place: &Place) -> Result<bool, RunnerError> {
        let resolved = match self.resolve(place) {
            Ok(resolved) => resolved,
            Err(ResolveError::Runner(error)) => return Err(error),
            Err(error) => {
                println!("    {error}");
                return Ok(false);
            }
        };
        match &resolved.function {
            Some((function, offset)) => println!("    {place} is {function}+{offset:#x}"),
            None => println!("    {place} is in no function"),
        }
        for (level, (file, line)) in resolved.lines.iter().enumerate() {
            let how = if level == 0 { "at" } else { "inlined at" };
            println!("        {how} {file}:{line}");
        }
        Ok(resolved.function.is_some())
    }
}

/// Why a place cannot be resolved.
#[derive(Debug)]
pub enum ResolveError {
    /// No build here has its id.
    OtherBuild(Place),
    /// The build's object is not as compilers write them.
    Object(image::error::Error),
    /// A file cannot be read.
    Runner(RunnerError),
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherBuild(place) => write!(
                f,
                "{place}: refused, since no build here has this id (of {}), and the lines of another \
                 one would be wrong",
                place.component
            ),
            Self::Object(error) => error.fmt(f),
            Self::Runner(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResolveError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_reports_have_them() {
        let place = Place::parse("bitflags@1.3.2@0123456789ABCDEF+0x1a2b").unwrap();
        assert_eq!(place.component, "bitflags@1.3.2");
        assert_eq!(
            (place.id.as_str(), place.offset),
            ("0123456789abcdef", 0x1a2b)
        );
        assert_eq!(place.to_string(), "bitflags@1.3.2@0123456789abcdef+0x1a2b");
    }

    #[test]
    fn what_names_no_build_is_no_place() {
        for text in [
            "",
            "faults+0x12",
            "faults@+0x12",
            "faults@0123+0x12",
            "@0123456789abcdef+0x1",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        for text in [
            "faults@0123456789abcdef",
            "faults@0123456789abcdeg+0x1",
            "x@0123456789abcdef+0xz",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn another_build_is_refused_by_name() {
        let folder = std::env::temp_dir().join(format!("resolve-{}", std::process::id()));
        fs::create_dir_all(folder.join("debug/by-id")).unwrap();
        let place = Place::parse("faults@0123456789abcdef+0x1").unwrap();
        let result = Resolver::new(&folder).resolve(&place);
        fs::remove_dir_all(&folder).unwrap();
        let message = result.unwrap_err().to_string();
        assert!(message.contains("faults@0123456789abcdef+0x1") && message.contains("refused"));
    }
}
