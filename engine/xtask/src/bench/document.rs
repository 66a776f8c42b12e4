//! `engine/BENCHMARKS.md`: its text is written by hand, its tables by the benchmark.
//!
//! A table stands between `<!-- NAME -->` and `<!-- /NAME -->`.

use super::Bench;
use crate::process;
use anyhow::{Context, Result};
use std::fs;

const DOCUMENT: &str = "engine/BENCHMARKS.md";

/// Prints a part's figures and, if they are complete, writes them into the document.
pub(super) fn section(bench: &Bench<'_>, name: &str, text: &str) -> Result<()> {
    println!("\n{text}");
    if !bench.options.write {
        return Ok(());
    }
    let path = bench.repository.path(DOCUMENT);
    let old = fs::read_to_string(&path).with_context(|| format!("failed to read {DOCUMENT}"))?;
    let mut new = replaced(&old, name, text)?;
    new = replaced(&new, "machine", &machine(bench)?)?;
    fs::write(&path, new).with_context(|| format!("failed to write {DOCUMENT}"))?;
    eprintln!("{DOCUMENT}: {name} is written");
    Ok(())
}

fn replaced(document: &str, name: &str, text: &str) -> Result<String> {
    let missing = || format!("{DOCUMENT} has no place for {name}: add <!-- {name} --> and its end");
    let (before, rest) =
        document.split_once(&format!("<!-- {name} -->\n")).with_context(missing)?;
    let (_, after) = rest.split_once(&format!("<!-- /{name} -->")).with_context(missing)?;
    Ok(format!("{before}<!-- {name} -->\n{}\n<!-- /{name} -->{after}", text.trim_end()))
}

/// What the figures were measured on.
fn machine(bench: &Bench<'_>) -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").context("failed to read /proc/cpuinfo")?;
    let models: Vec<_> = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, model)| model)
        .collect();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
        .context("failed to read the kernel's release")?;
    let mut rustc = process::command("rustc", bench.repository.root());
    Ok(format!(
        "Measured on {} cores ({}), Linux {}, {}.",
        models.len(),
        models.first().unwrap_or(&"unknown"),
        kernel.trim(),
        process::capture(rustc.arg("--version"))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_one_before() {
        let document = "# Figures\n\n<!-- one -->\nold\n<!-- /one -->\n\nText.\n";
        let new = replaced(document, "one", "| new |\n").unwrap();
        assert_eq!(new, "# Figures\n\n<!-- one -->\n| new |\n<!-- /one -->\n\nText.\n");
        assert_eq!(replaced(&new, "one", "| new |\n").unwrap(), new);
        assert!(replaced(document, "two", "").unwrap_err().to_string().contains("two"));
    }
}
