// The ballast, in a section of its own that is loaded but never touched.
asm(".pushsection .ballast, \"aR\", @progbits\n"
    ".global pawl_ballast\n"
    "pawl_ballast:\n"
    ".incbin \"" PAWL_BALLAST
    "\"\n"
    ".popsection\n");
