//! The bootable image for BIOS and UEFI: GRUB, the nucleus, the archive.

use crate::{
    error::{Error, Result},
    files, merge,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The modules of GRUB that the configuration needs: the kernel's protocol, the file system that it
/// lies in, the commands. With all modules, the image has 20 MiB more.
const MODULES: &str = "multiboot2 iso9660 normal";

/// What goes into the image, and where it goes.
pub(crate) struct Iso<'a> {
    /// Folder of the workspace.
    pub root: &'a Path,
    /// Folder for what is built.
    pub out: &'a Path,
    /// The nucleus.
    pub nucleus: &'a Path,
    /// The archive.
    pub archive: &'a Path,
}

/// The image.
pub(crate) struct Written {
    /// The file.
    pub path: PathBuf,
    /// Whether it was made just now.
    pub fresh: bool,
}

impl Iso<'_> {
    /// Writes the image unless nothing has changed since the last time.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, or `grub-mkrescue` is missing or fails.
    pub(crate) fn write(&self) -> Result<Written> {
        let configuration = self.root.join("cfg/grub.cfg");
        let files = [
            (configuration.as_path(), "boot/grub/grub.cfg"),
            (self.nucleus, "boot/nucleus.elf"),
            (self.archive, "boot/strake.archive"),
        ];
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("STRAKE_IMAGE_SOURCES").as_bytes());
        for (file, _) in files {
            hasher.update(blake3::hash(&files::read(file)?).as_bytes());
        }
        let stamp = hasher.finalize();
        let stamp_path = self.out.join("cache/stamps/iso");
        let path = self.out.join("strake.iso");
        if path.exists() && fs::read(&stamp_path).is_ok_and(|old| old == stamp.as_bytes()) {
            return Ok(Written { path, fresh: false });
        }
        let tree = self.out.join("cache/iso");
        files::create_folder(&tree.join("boot/grub"))?;
        for (from, to) in files {
            files::link(from, &tree.join(to))?;
        }
        let mut command = Command::new("grub-mkrescue");
        command
            .arg(format!("--install-modules={MODULES}"))
            .args(["--fonts=", "--themes=", "--locales=", "-o"])
            .arg(&path)
            .arg(&tree);
        let _ = fs::remove_file(&stamp_path);
        merge::run(command, "grub-mkrescue")?;
        fs::remove_dir_all(&tree).map_err(Error::io("remove", &tree))?;
        files::write_if_changed(&stamp_path, stamp.as_bytes())?;
        Ok(Written { path, fresh: true })
    }
}
