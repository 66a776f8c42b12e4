//! `/etc/hosts`: an address a line, and its names.

use std::net::IpAddr;

/// All addresses of `name`, in the order of their lines. An address with a zone
/// (`fe80::1%eth0`) is left out: a connection to it would need the interface as well.
pub(super) fn addresses(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next() else { continue };
        if words.any(|word| word.eq_ignore_ascii_case(name))
            && let Ok(address) = address.parse::<IpAddr>()
        {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_name_counts() {
        let text = "127.0.0.1\tlocalhost\n\
                    # 10.0.0.9 many.test\n\
                    10.0.0.1 other.test Many.Test\n\
                    not-an-address many.test\n\
                    fe80::1%eth0 many.test\n\
                    2001:db8::1 many.test # and a comment\n\
                    10.0.0.2   many.test";
        let expected: [IpAddr; 3] =
            ["10.0.0.1", "2001:db8::1", "10.0.0.2"].map(|text| text.parse().expect("an address"));
        assert_eq!(addresses(text, "many.test"), expected);
        assert_eq!(addresses(text, "many.test."), expected);
        assert_eq!(addresses(text, "comment"), [] as [IpAddr; 0]);
        assert_eq!(addresses("", "many.test"), [] as [IpAddr; 0]);
    }
}
