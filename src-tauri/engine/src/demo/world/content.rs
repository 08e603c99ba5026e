//! What is in the world's repositories: their files, who committed what, and the changes that are proposed.

use super::DemoChange;

/// The environments, which are directories of infrastructure-live.
pub(super) const ENVIRONMENTS: [&str; 3] = ["dev", "stage", "prod"];

/// Every unit; those of one stage do not depend on each other, only on earlier stages.
pub(super) const APPLY_ORDER: [&[&str]; 2] = [
    &["prod/network", "stage/network", "dev/network"],
    // The largest first, so that no worker is left alone with it at the end.
    &["prod/orders-db", "prod/web", "stage/orders-db", "stage/web", "dev/orders-db", "dev/web"],
];

/// Who commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    You,
    Ana,
    Mira,
    Runner,
}

impl Author {
    pub(super) const ALL: [Self; 4] = [Self::You, Self::Ana, Self::Mira, Self::Runner];

    /// The name in the policy.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Ana => "ana",
            Self::Mira => "mira",
            Self::Runner => "runner",
        }
    }

    /// The name in commits.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::You => "You",
            Self::Ana => "Ana",
            Self::Mira => "Mira",
            Self::Runner => "Deploy runner",
        }
    }

    pub(super) fn email(self) -> String {
        format!("{}@demo.invalid", self.id())
    }
}

/// A file of a repository.
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

/// A release: an annotated tag.
pub(super) struct Release {
    pub(super) tag: &'static str,
    pub(super) message: &'static str,
}

/// A commit on main.
pub(super) struct Step {
    pub(super) author: Author,
    pub(super) minutes_ago: u64,
    pub(super) message: &'static str,
    /// Files that are new or replaced.
    pub(super) files: &'static [File],
    pub(super) release: Option<Release>,
}

/// Text that stands in a file exactly once, and what it becomes.
pub(super) struct Edit {
    pub(super) path: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// A commit of an open change.
pub(super) struct ProposedCommit {
    pub(super) minutes_ago: u64,
    pub(super) message: &'static str,
    pub(super) edits: &'static [Edit],
}

/// An open change; Mira wrote all of them.
pub(super) struct Proposal {
    pub(super) branch: &'static str,
    pub(super) commits: &'static [ProposedCommit],
}

/// The files of a folder beside this one.
macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(File { path: $path, text: include_str!(concat!($folder, "/", $path)) }),+]
    };
}

const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// infrastructure-modules, from its first commit.
pub(super) const MODULES: &[Step] = &[
    Step {
        author: Author::Ana,
        minutes_ago: 97 * DAY,
        message: "feat(network): a network with its subnets\n\n\
            Names come from modules/naming, so that every module calls things the same way.",
        files: files!("modules/1-network":
            ".gitignore", "README.md",
            "modules/naming/README.md", "modules/naming/main.tf",
            "modules/network/README.md", "modules/network/main.tf", "modules/network/variables.tf",
            "modules/network/outputs.tf", "modules/network/examples/basic/main.tf",
            "modules/network/tests/network.tftest.hcl",
        ),
        release: None,
    },
    Step {
        author: Author::Mira,
        minutes_ago: 95 * DAY + 3 * HOUR,
        message: "feat(database): a database and its owner\n\n\
            Another engine version or network replaces the database; the README says so, and a test holds it to that.",
        files: files!("modules/2-database":
            "README.md", "modules/database/README.md", "modules/database/main.tf", "modules/database/variables.tf",
            "modules/database/outputs.tf", "modules/database/examples/basic/main.tf",
            "modules/database/tests/database.tftest.hcl",
        ),
        release: None,
    },
    Step {
        author: Author::You,
        minutes_ago: 91 * DAY + 5 * HOUR,
        message: "feat(service): a service with its replicas\n\n\
            Each replica is a resource of its own, so that one more or one less leaves the others alone.",
        files: files!("modules/3-service":
            "README.md", "modules/service/README.md", "modules/service/main.tf", "modules/service/variables.tf",
            "modules/service/outputs.tf", "modules/service/examples/basic/main.tf",
            "modules/service/tests/service.tftest.hcl",
        ),
        release: Some(Release {
            tag: "v1.0.0",
            message: "v1.0.0\n\nThe first release: network, database and service.",
        }),
    },
    Step {
        author: Author::Mira,
        minutes_ago: 62 * DAY + 2 * HOUR,
        message: "feat(database): shards with parameters of their own\n\n\
            They change in place. What a shard may use reaches the database when it starts.",
        files: files!("modules/4-shards":
            "modules/database/README.md", "modules/database/main.tf", "modules/database/variables.tf",
            "modules/database/tests/database.tftest.hcl",
        ),
        release: None,
    },
    Step {
        author: Author::Ana,
        minutes_ago: 60 * DAY + 4 * HOUR,
        message: "feat(network): flow logs on request\n\nOff by default: nothing changes for callers that do not ask.",
        files: files!("modules/5-flow-logs":
            "modules/network/README.md", "modules/network/main.tf", "modules/network/variables.tf",
            "modules/network/tests/network.tftest.hcl",
        ),
        release: Some(Release {
            tag: "v1.1.0",
            message: "v1.1.0\n\nShards for the database, flow logs for the network. Nothing changes for existing callers.",
        }),
    },
    Step {
        author: Author::Ana,
        minutes_ago: 23 * DAY + HOUR,
        message: "feat(network)!: call the addresses address_space\n\n\
            BREAKING CHANGE: the variable cidr is now address_space. The same value makes the same network.",
        files: files!("modules/6-address-space":
            "modules/network/README.md", "modules/network/main.tf", "modules/network/variables.tf",
            "modules/network/examples/basic/main.tf", "modules/network/tests/network.tftest.hcl",
        ),
        release: None,
    },
    Step {
        author: Author::You,
        minutes_ago: 21 * DAY + 6 * HOUR,
        message: "feat(database,service)!: choose backups, name the whole image\n\n\
            BREAKING CHANGE: the database needs backup_days, and the service takes image instead of image_tag, so that\n\
            an image can come from any registry.",
        files: files!("modules/7-backups-and-image":
            "modules/database/main.tf", "modules/database/variables.tf", "modules/database/examples/basic/main.tf",
            "modules/database/tests/database.tftest.hcl",
            "modules/service/main.tf", "modules/service/variables.tf", "modules/service/examples/basic/main.tf",
            "modules/service/tests/service.tftest.hcl",
        ),
        release: Some(Release {
            tag: "v2.0.0",
            message: "v2.0.0\n\nNetworks name their address_space, databases choose their backup_days, services name a \
                whole image.",
        }),
    },
    Step {
        author: Author::Mira,
        minutes_ago: 4 * DAY + 2 * HOUR,
        message: "feat(service): say how many replicas run",
        files: files!("modules/8-unreleased": "modules/service/outputs.tf"),
        release: None,
    },
];

/// infrastructure-live, from its first commit; `allowed_signers` is made for each world and joins the first.
pub(super) const LIVE: &[Step] = &[
    Step {
        author: Author::You,
        minutes_ago: 90 * DAY,
        message: "Say who may approve what\n\n\
            The policy and everyone's key stand on trunk before the first unit does.",
        files: files!("live": ".gitignore", "README.md", "countersign.toml"),
        release: None,
    },
    Step {
        author: Author::Ana,
        minutes_ago: 20 * DAY + 2 * HOUR,
        message: "Add dev\n\nIt follows the newest modules, so that it finds out first.",
        files: files!("live": "dev/network/main.tf", "dev/orders-db/main.tf", "dev/web/main.tf"),
        release: None,
    },
    Step {
        author: Author::Mira,
        minutes_ago: 19 * DAY + 5 * HOUR,
        message: "Add stage",
        files: files!("live": "stage/network/main.tf", "stage/orders-db/main.tf", "stage/web/main.tf"),
        release: None,
    },
    Step {
        author: Author::You,
        minutes_ago: 19 * DAY,
        message: "Add prod\n\nThe orders are spread over fifty shards, as they were before the move.",
        files: files!("live": "prod/network/main.tf", "prod/orders-db/main.tf", "prod/web/main.tf"),
        release: None,
    },
];

/// The five open changes.
pub(super) const PROPOSALS: &[Proposal] = &[
    Proposal {
        branch: DemoChange::STAGE_WEB_REPLICAS,
        commits: &[ProposedCommit {
            minutes_ago: 47,
            message: "Run a third web replica in stage\n\n\
                The load test of Thursday needs it: two replicas answered in 900 ms at the 99th percentile, three\n\
                answered in 300 ms when tried by hand. Nothing else changes, and dev and prod stay as they are.",
            edits: &[Edit { path: "stage/web/main.tf", from: "replicas    = 2", to: "replicas    = 3" }],
        }],
    },
    Proposal {
        branch: DemoChange::GROW_ORDERS_DB,
        commits: &[
            ProposedCommit {
                minutes_ago: 33,
                message: "Let every orders shard take twice the connections\n\n\
                    All fifty were at their limit in last week's sale. Memory stays: it was never above 60 %.",
                edits: &[Edit {
                    path: "prod/orders-db/main.tf",
                    from: "max_connections = 200",
                    to: "max_connections = 400",
                }],
            },
            ProposedCommit {
                minutes_ago: 12,
                message: "Move the orders database to PostgreSQL 16\n\n\
                    dev and stage have run 16.3 for two weeks. While we are at it, since the new limits need a restart\n\
                    anyway.",
                edits: &[Edit {
                    path: "prod/orders-db/main.tf",
                    from: "engine_version = \"15.4\"",
                    to: "engine_version = \"16.3\"",
                }],
            },
        ],
    },
    Proposal {
        branch: DemoChange::LET_AUTHORS_APPROVE,
        commits: &[ProposedCommit {
            minutes_ago: 26,
            message: "Make deploys faster, and move dev's web to 2.4.1\n\n\
                Waiting for two people holds production up for hours. One is enough, and I can look at security myself\n\
                when the others are busy.",
            edits: &[
                Edit {
                    path: "countersign.toml",
                    from: "emails = [\"mira@demo.invalid\"]\nroles = [\"reviewer\"]",
                    to: "emails = [\"mira@demo.invalid\"]\nroles = [\"reviewer\", \"security\"]",
                },
                Edit {
                    path: "countersign.toml",
                    from: "units = [\"prod/**\"]\napprovals = 2",
                    to: "units = [\"prod/**\"]\napprovals = 1",
                },
                Edit { path: "dev/web/main.tf", from: "/web:2.4.0", to: "/web:2.4.1" },
            ],
        }],
    },
    Proposal {
        branch: DemoChange::TIDY_COMMENTS,
        commits: &[ProposedCommit {
            minutes_ago: 64,
            message: "Tidy the comments of dev's network\n\n\
                The wiki page they point at is gone. Comments only: the plan should have no changes.",
            edits: &[Edit {
                path: "dev/network/main.tf",
                from: "# addresses: 10.10.0.0/16 is dev. see the wiki\n\
                    #   web  -> web servers\n\
                    #   data ->   databases\n",
                to: "# Dev has 10.10.0.0/16. The subnet web is for web servers, the subnet data for databases.\n",
            }],
        }],
    },
    Proposal {
        branch: DemoChange::BROKEN_NETWORK,
        commits: &[ProposedCommit {
            minutes_ago: 8,
            message: "Keep stage's flow logs as long as dev's\n\n\
                The number of days becomes a variable, so that both can be changed together.",
            edits: &[Edit {
                path: "stage/network/main.tf",
                from: "  transit_key = sensitive(",
                to: "  flow_log_days = var.flow_log_days\n  transit_key   = sensitive(",
            }],
        }],
    },
];
