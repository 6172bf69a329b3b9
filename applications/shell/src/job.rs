//! A pipeline that runs.

use crate::execute::{Command, Role};
use alloc::{string::String, vec::Vec};
use application::{Child, ExitCode};
use task::TaskId;

/// The commands of a pipeline. Dropping it kills those that still run.
pub(crate) struct Job {
    /// What the user calls it; 0 in the foreground.
    pub(crate) number: usize,
    /// The commands as text.
    pub(crate) text: String,
    members: Vec<Member>,
}

enum Member {
    Running(Child),
    Failed(ExitCode),
}

impl Job {
    /// A job of these commands, of which none runs yet.
    pub(crate) fn new(commands: &[Command]) -> Self {
        let words = commands.iter().map(|command| command.words.join(" "));
        let commands: Vec<String> = words.collect();
        Self {
            number: 0,
            text: commands.join(" | "),
            members: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, child: Child) {
        self.members.push(Member::Running(child));
    }

    pub(crate) fn push_failed(&mut self, code: ExitCode) {
        self.members.push(Member::Failed(code));
    }

    pub(crate) fn is_over(&self) -> bool {
        self.members.iter().all(|member| match member {
            Member::Running(child) => child.is_over(),
            Member::Failed(_) => true,
        })
    }

    /// The tasks that run its commands.
    fn tasks(&self) -> Vec<TaskId> {
        self.members
            .iter()
            .filter_map(|member| match member {
                Member::Running(child) => Some(child.id()),
                Member::Failed(_) => None,
            })
            .collect()
    }

    /// Waits for all commands, as the foreground job; the last one's exit code. What kills
    /// the job kills a script too.
    pub(crate) fn wait(self, role: Role) -> ExitCode {
        let mut tasks = self.tasks();
        if role == Role::Script {
            tasks.extend(task::current().map(|shell| shell.id()));
        }
        let _foreground = console::set_foreground(tasks);
        self.wait_for_members()
    }

    /// Waits for all commands, wherever they run; the last one's exit code.
    pub(crate) fn wait_for_members(self) -> ExitCode {
        let mut code = ExitCode::SUCCESS;
        for member in self.members {
            code = match member {
                Member::Running(child) => child.wait(),
                Member::Failed(code) => code,
            };
        }
        code
    }
}
