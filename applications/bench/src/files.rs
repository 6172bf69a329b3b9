//! Files in memory.

use crate::measure::{Outcome, fallible_cost};
use alloc::{string::ToString, vec};
use core::hint::black_box;
use vfs::{Error, OpenOptions, Reason};

/// Where the files lie, one directory below the root.
const DIRECTORY: &str = "/bench";
/// The file that is read.
const READ: &str = "/bench/read";
/// The file that is made and removed.
const CREATED: &str = "/bench/created";

/// Bytes that are read.
const SIZE: usize = 4096;

/// The directory with the files. Dropping it removes them.
struct Files;

impl Files {
    fn make() -> Result<Self, Error> {
        vfs::create_directories(DIRECTORY)?;
        Ok(Self)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is not there need not be removed.
        let _ = vfs::remove_file(READ);
        let _ = vfs::remove_file(CREATED);
        let _ = vfs::remove_directory(DIRECTORY);
    }
}

pub(crate) fn read() -> Outcome {
    let _files = Files::make().map_err(|error| error.to_string())?;
    let mut file = OpenOptions::REPLACE
        .open(READ)
        .map_err(|error| error.to_string())?;
    file.write_all(&[7; SIZE])
        .map_err(|error| error.to_string())?;
    drop(file);
    let mut buffer = vec![0; SIZE];
    fallible_cost(200, || -> Result<(), Error> {
        let mut file = OpenOptions::READ.open(READ)?;
        match file.read(black_box(&mut buffer)) {
            Ok(SIZE) => Ok(()),
            Ok(_) => Err(Error::new(READ, Reason::Corrupt)),
            Err(reason) => Err(Error::new(READ, reason)),
        }
    })
}

pub(crate) fn create() -> Outcome {
    let _files = Files::make().map_err(|error| error.to_string())?;
    fallible_cost(200, || -> Result<(), Error> {
        drop(OpenOptions::new().write().create_new().open(CREATED)?);
        vfs::remove_file(CREATED)
    })
}
