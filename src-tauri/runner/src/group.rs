//! The process group of a running program.

use rustix::process::{Pid, Signal, kill_process_group};

use crate::run::StopSignal;

/// The group a program leads. Kills what is left of it when dropped, unless it was [ended](Group::end) before.
pub(crate) struct Group {
    leader: Option<Pid>,
}

impl Group {
    /// The group led by the process `leader`, which was started with its own group and not yet been waited for.
    pub(crate) fn of(leader: Option<u32>) -> Self {
        let leader = leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { leader }
    }

    pub(crate) fn leader(&self) -> Option<Pid> {
        self.leader
    }

    pub(crate) fn signal(&self, signal: StopSignal) {
        let signal = match signal {
            StopSignal::Interrupt => Signal::INT,
            StopSignal::Terminate => Signal::TERM,
            StopSignal::Kill => Signal::KILL,
        };
        let Some(leader) = self.leader else { return };
        // The one expected failure is ESRCH: everyone in the group has ended already.
        if let Err(error) = kill_process_group(leader, signal) {
            tracing::debug!(%error, ?signal, "no process in the group took the signal");
        }
    }

    /// Kills what is left of the group. To be called while the leader is ended but not reaped: its id, and so the
    /// group's, cannot have been given to anyone else yet.
    pub(crate) fn end(&mut self) {
        self.signal(StopSignal::Kill);
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
