use std::time::Instant;
fn main() {
    for f in std::env::args().skip(1) {
        let t = Instant::now();
        let r = countersign_iac::plan_json::view_file(f.as_ref());
        let d = t.elapsed();
        match r {
            Ok(v) => {
                println!("{f}: {:?} {:?}", v.counts, d);
                if std::env::var("V").is_ok() {
                    println!("{}", serde_json::to_string_pretty(&v).unwrap());
                }
            }
            Err(e) => println!("{f}: REFUSED {e}"),
        }
        if std::env::var("P").is_ok() {
            let t = Instant::now();
            let r = countersign_iac::plan_json::read_file(f.as_ref());
            println!("plan {:?}", t.elapsed());
            if std::env::var("V").is_ok() {
                println!("{:#?}", r);
            } else if let Err(e) = r {
                println!("{e}")
            }
        }
    }
}
