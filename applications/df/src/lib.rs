//! Shows how much room file systems have.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Json, OptionSpec, Usage, println};
use vfs::MountInfo;

application::application! {
    usage: Usage {
        name: "df",
        summary: "show how full the file systems are",
        options: &[OptionSpec::JSON],
        notes: &["Numbers are bytes."],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let mounts = vfs::mounts();
    if arguments.has("json") {
        println!("{}", Json::array(mounts.iter().map(describe)));
        return ExitCode::SUCCESS;
    }
    println!(
        "{:<12} {:>12} {:>12} {:>12} {:>4}  MOUNTED ON",
        "FILE SYSTEM", "TOTAL", "USED", "FREE", "USE"
    );
    for mount in &mounts {
        println!(
            "{:<12} {:>12} {:>12} {:>12} {:>3}%  {}{}",
            mount.name,
            mount.usage.total,
            mount.usage.used,
            free(mount),
            percent(mount),
            mount.path,
            if mount.read_only { " (read only)" } else { "" },
        );
    }
    ExitCode::SUCCESS
}

const fn free(mount: &MountInfo) -> u64 {
    mount.usage.total.saturating_sub(mount.usage.used)
}

/// Rounded up, so that what is nearly full does not look as if there were room.
fn percent(mount: &MountInfo) -> u64 {
    let used = mount.usage.used.saturating_mul(100);
    used.div_ceil(mount.usage.total.max(1))
}

fn describe(mount: &MountInfo) -> Json {
    Json::object([
        ("name", mount.name.into()),
        ("path", (&mount.path).into()),
        ("total", mount.usage.total.into()),
        ("used", mount.usage.used.into()),
        ("free", free(mount).into()),
        ("read_only", mount.read_only.into()),
    ])
}
