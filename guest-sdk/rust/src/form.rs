//! Forms as `application/x-www-form-urlencoded`.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// `a=1&b=x+y`, with everything escaped that the URL standard's form encoding escapes.
pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push('&');
        }
        escape(name, &mut out);
        out.push('=');
        escape(value, &mut out);
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_form_is_what_a_browser_sends() {
        // The strings are what Python's urllib.parse.urlencode gives.
        let fields = [("user name", "a&b=c"), ("word", "grüße~*-._"), ("", "")];
        assert_eq!(encode(&fields), "user+name=a%26b%3Dc&word=gr%C3%BC%C3%9Fe%7E*-._&=");
        assert_eq!(encode(&[]), "");
    }
}
