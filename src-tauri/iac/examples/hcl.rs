use countersign_domain::names::UnitPath;
use countersign_iac::files::InMemory;
use std::time::Instant;
fn main() {
    for n in [20000usize] {
        for (open, close) in
            [("(", ")"), ("[", "]"), ("{a=", "}"), ("\"${", "}\""), ("f(", ")"), ("!", ""), ("a {\n", "}\n")]
        {
            let deep = if open.starts_with("a ") {
                format!("{}{}", open.repeat(n), close.repeat(n))
            } else {
                format!("x = {}1{}\nmodule \"m\" {{\n  source = \"./m\"\n}}\n", open.repeat(n), close.repeat(n))
            };
            let mut parser = tree_sitter::Parser::new();
            parser.set_language(&tree_sitter_hcl::LANGUAGE.into()).unwrap();
            let t = Instant::now();
            let mut calls = 0usize;
            let mut count = |_: &tree_sitter::ParseState| {
                calls += 1;
                std::ops::ControlFlow::<()>::Continue(())
            };
            let mut piece = |from: usize, _| deep.as_bytes().get(from..).unwrap_or_default();
            let tree = parser.parse_with_options(
                &mut piece,
                None,
                Some(tree_sitter::ParseOptions::new().progress_callback(&mut count)),
            );
            let a = t.elapsed();
            let e = tree.map(|t| t.root_node().has_error());
            let t = Instant::now();
            let c = countersign_iac::hcl::read_directory(
                &InMemory::from_iter([("main.tf", deep.clone())]),
                &UnitPath::root(),
            )
            .unwrap();
            println!(
                "{n} {open:?}: bytes {} parse {a:?} calls {calls} err {e:?}; whole {:?} modules {} {:?}",
                deep.len(),
                t.elapsed(),
                c.modules.len(),
                c.problems.first().map(|p| p.to_string().chars().take(90).collect::<String>())
            );
        }
    }
}
