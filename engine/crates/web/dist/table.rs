// Written by `npm run build` in `ui/`.
&[
    Asset {
        path: "assets/index-CF3NWd5v.js",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/assets/index-CF3NWd5v.js")),
    },
    Asset {
        path: "assets/index-DsDUvtWx.css",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/assets/index-DsDUvtWx.css")),
    },
    Asset {
        path: "favicon.svg",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/favicon.svg")),
    },
    Asset {
        path: "index.html",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/index.html")),
    },
    Asset {
        path: "licences.txt",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/licences.txt")),
    },
    Asset {
        path: "theme.js",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/theme.js")),
    },
]
