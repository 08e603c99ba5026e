//! Which system this is, and what its packages are called.

use std::{env, fs, path::PathBuf};

/// A family of systems that share package names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    /// Debian and what is made from it; packages are installed with apt.
    Debian,
    /// Ubuntu and what is made from it: as Debian, but its Chromium package only forwards to a snap.
    Ubuntu,
    Fedora,
    Arch,
    Mac,
    Unknown,
}

impl Platform {
    /// This machine.
    pub(crate) fn here() -> Self {
        if cfg!(target_os = "macos") {
            return Self::Mac;
        }
        fs::read_to_string("/etc/os-release").map_or(Self::Unknown, |text| Self::from_os_release(&text))
    }

    /// Reads `ID` and, for derived distributions, `ID_LIKE` (see the manual page os-release(5)).
    pub(crate) fn from_os_release(text: &str) -> Self {
        let field = |name: &str| {
            text.lines().find_map(|line| {
                let value = line.trim().strip_prefix(name)?.strip_prefix('=')?;
                Some(value.trim_matches(['"', '\''].as_slice()))
            })
        };
        let names = field("ID").into_iter().chain(field("ID_LIKE").into_iter().flat_map(str::split_whitespace));
        names
            .filter_map(|name| match name {
                "debian" => Some(Self::Debian),
                "ubuntu" => Some(Self::Ubuntu),
                "fedora" | "rhel" | "centos" => Some(Self::Fedora),
                "arch" => Some(Self::Arch),
                _ => None,
            })
            .next()
            .unwrap_or(Self::Unknown)
    }

    /// Whether this program can install packages here by itself.
    pub(crate) fn has_apt(self) -> bool {
        matches!(self, Self::Debian | Self::Ubuntu)
    }
}

/// What a need is for; a command asks for the needs of its own purposes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Building and running the command line.
    Core,
    /// Building and showing the window.
    Window,
    /// Running every test.
    Tests,
}

/// How to find out whether something is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// Any one of these programs on `PATH`.
    Program(&'static [&'static str]),
    /// A library known to `pkg-config`.
    Library(&'static str),
}

/// Something the build or the tests use that a system package provides.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) what: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) probe: Probe,
    debian: &'static [&'static str],
    fedora: &'static [&'static str],
    arch: &'static [&'static str],
    homebrew: &'static [&'static str],
}

impl Need {
    /// The packages that provide it; none where the system brings it along or has no such package.
    pub(crate) fn packages(&self, platform: Platform) -> &'static [&'static str] {
        match platform {
            Platform::Ubuntu if self.what == CHROMIUM => &[],
            Platform::Debian | Platform::Ubuntu => self.debian,
            Platform::Fedora => self.fedora,
            Platform::Arch => self.arch,
            Platform::Mac => self.homebrew,
            Platform::Unknown => &[],
        }
    }

    /// Whether this system has a use for it at all: a Mac brings its own window system and webview.
    pub(crate) fn applies(&self, platform: Platform) -> bool {
        platform != Platform::Mac || !self.homebrew.is_empty()
    }
}

pub(crate) const CHROMIUM: &str = "Chromium";

/// The names under which distributions install Chromium or Chrome.
pub(crate) const CHROMIUM_PROGRAMS: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Everything that comes from system packages.
pub(crate) const NEEDS: &[Need] = &[
    Need {
        what: "a C compiler",
        purpose: Purpose::Core,
        probe: Probe::Program(&["cc"]),
        debian: &["build-essential"],
        fedora: &["gcc", "gcc-c++", "make"],
        arch: &["base-devel"],
        homebrew: &[],
    },
    Need {
        what: "pkg-config",
        purpose: Purpose::Core,
        probe: Probe::Program(&["pkg-config"]),
        debian: &["pkg-config"],
        fedora: &["pkgconf-pkg-config"],
        arch: &["pkgconf"],
        homebrew: &[],
    },
    Need {
        what: "OpenSSH's ssh-keygen",
        purpose: Purpose::Core,
        probe: Probe::Program(&["ssh-keygen"]),
        debian: &["openssh-client"],
        fedora: &["openssh", "openssh-clients"],
        arch: &["openssh"],
        homebrew: &["openssh"],
    },
    Need {
        what: "bubblewrap",
        purpose: Purpose::Core,
        probe: Probe::Program(&["bwrap"]),
        debian: &["bubblewrap"],
        fedora: &["bubblewrap"],
        arch: &["bubblewrap"],
        homebrew: &[],
    },
    Need {
        what: "WebKitGTK's headers",
        purpose: Purpose::Window,
        probe: Probe::Library("webkit2gtk-4.1"),
        debian: &["libwebkit2gtk-4.1-dev"],
        fedora: &["webkit2gtk4.1-devel"],
        arch: &["webkit2gtk-4.1"],
        homebrew: &[],
    },
    Need {
        what: "age",
        purpose: Purpose::Tests,
        probe: Probe::Program(&["age"]),
        debian: &["age"],
        fedora: &["age"],
        arch: &["age"],
        homebrew: &["age"],
    },
    Need {
        what: "WebKit's WebDriver",
        purpose: Purpose::Tests,
        probe: Probe::Program(&["WebKitWebDriver"]),
        debian: &["webkit2gtk-driver"],
        fedora: &["webkitgtk6.0"],
        arch: &["webkitgtk-6.0"],
        homebrew: &[],
    },
    Need {
        what: "Xvfb",
        purpose: Purpose::Tests,
        probe: Probe::Program(&["Xvfb"]),
        debian: &["xvfb", "xauth"],
        fedora: &["xorg-x11-server-Xvfb", "xorg-x11-xauth"],
        arch: &["xorg-server-xvfb", "xorg-xauth"],
        homebrew: &[],
    },
    Need {
        what: "a D-Bus session",
        purpose: Purpose::Tests,
        probe: Probe::Program(&["dbus-run-session"]),
        debian: &["dbus"],
        fedora: &["dbus-daemon"],
        arch: &["dbus"],
        homebrew: &[],
    },
    Need {
        what: CHROMIUM,
        purpose: Purpose::Tests,
        probe: Probe::Program(CHROMIUM_PROGRAMS),
        debian: &["chromium"],
        fedora: &["chromium"],
        arch: &["chromium"],
        homebrew: &["--cask chromium"],
    },
];

/// The first of these programs that is on `PATH`, with its whole path.
pub(crate) fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    names.iter().find_map(|name| env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file)))
}

fn is_executable(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The packages that provide these needs, each named once and in order.
pub(crate) fn packages(needs: &[&Need], platform: Platform) -> Vec<&'static str> {
    let mut names = Vec::new();
    for name in needs.iter().flat_map(|need| need.packages(platform)) {
        if !names.contains(name) {
            names.push(*name);
        }
    }
    names
}

/// What to type on each system that this program does not install packages on.
pub(crate) fn advice(needs: &[&Need]) -> String {
    [
        ("Fedora", "sudo dnf install", Platform::Fedora),
        ("Arch", "sudo pacman -S --needed", Platform::Arch),
        ("Homebrew", "brew install", Platform::Mac),
        ("Debian, Ubuntu", "sudo apt-get install", Platform::Debian),
    ]
    .iter()
    .map(|(name, command, platform)| (name, command, packages(needs, *platform)))
    .filter(|(_, _, packages)| !packages.is_empty())
    .map(|(name, command, packages)| format!("  {name}: {command} {}\n", packages.join(" ")))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_os_release() {
        let cases = [
            ("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n", Platform::Debian),
            ("NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nID=ubuntu\nID_LIKE=debian\n", Platform::Ubuntu),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Platform::Ubuntu),
            ("ID=raspbian\nID_LIKE=debian\n", Platform::Debian),
            ("ID=fedora\nVERSION_ID=41\n", Platform::Fedora),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Platform::Fedora),
            ("ID=arch\n", Platform::Arch),
            ("ID=manjaro\nID_LIKE=arch\n", Platform::Arch),
            ("ID=nixos\n", Platform::Unknown),
            ("VERSION_ID=12\nVARIANT_ID=debian\n", Platform::Unknown),
            ("", Platform::Unknown),
        ];
        for (text, wanted) in cases {
            assert_eq!(Platform::from_os_release(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn chromium_comes_from_apt_on_debian_only() {
        let chromium: Vec<&Need> = NEEDS.iter().filter(|need| need.what == CHROMIUM).collect();
        assert_eq!(packages(&chromium, Platform::Debian), ["chromium"]);
        assert!(packages(&chromium, Platform::Ubuntu).is_empty());
    }

    #[test]
    fn a_mac_is_not_asked_for_what_it_brings() {
        assert!(NEEDS.iter().filter(|need| need.purpose == Purpose::Window).all(|need| !need.applies(Platform::Mac)));
    }

    #[test]
    fn advice_names_every_other_system() {
        let all: Vec<&Need> = NEEDS.iter().collect();
        let text = advice(&all);
        assert!(text.contains("  Fedora: sudo dnf install gcc gcc-c++ make pkgconf-pkg-config"), "{text}");
        assert!(text.contains("  Arch: sudo pacman -S --needed base-devel"), "{text}");
        assert!(text.contains("  Homebrew: brew install openssh age"), "{text}");
    }

    #[test]
    fn a_program_is_found_on_the_path() {
        assert!(find_program(&["no-such-program-here", "sh"]).is_some_and(|path| path.ends_with("sh")));
        assert_eq!(find_program(&["no-such-program-here"]), None);
    }
}
