//! A pseudo-terminal that a program writes to. It is nobody's controlling terminal, so it brings no job control and no
//! signals; it only makes `isatty` true.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use tokio::net::unix::pipe::Receiver;

/// Rows the program believes the terminal has. No line-oriented tool looks at it.
const ROWS: u16 = 50;

/// Opens a terminal of `cols` columns: our end, and the end that the program writes to. Ours reads like a pipe, except
/// that Linux ends it with EIO when the last process on the other end is gone.
pub(crate) fn open(cols: u16) -> io::Result<(Receiver, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let theirs = peer(&ours)?;
    tcsetwinsize(&theirs, Winsize { ws_row: ROWS, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 })?;
    let mut modes = tcgetattr(&theirs)?;
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&theirs, OptionalActions::Now, &modes)?;
    fcntl_setfl(&ours, fcntl_getfl(&ours)? | OFlags::NONBLOCK)?;
    Ok((Receiver::from_owned_fd_unchecked(ours)?, theirs))
}

#[cfg(target_os = "linux")]
fn peer(ours: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Ok(rustix::pty::ioctl_tiocgptpeer(ours, flags)?)
}

#[cfg(not(target_os = "linux"))]
fn peer(ours: &OwnedFd) -> io::Result<OwnedFd> {
    let name = rustix::pty::ptsname(ours, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(name, flags, rustix::fs::Mode::empty())?)
}
