// Written by `npm run build` in `ui/`.
&[
    Asset {
        path: "assets/index-COWWARnc.css",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/assets/index-COWWARnc.css")),
    },
    Asset {
        path: "assets/index-CSLEDADd.js",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/assets/index-CSLEDADd.js")),
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
