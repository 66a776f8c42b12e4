// Written by `npm run build` in `ui/`.
&[
    Asset {
        path: "assets/index-D7lMk-oM.js",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/assets/index-D7lMk-oM.js")),
    },
    Asset {
        path: "assets/index-i92-qBJJ.css",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/assets/index-i92-qBJJ.css")),
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
