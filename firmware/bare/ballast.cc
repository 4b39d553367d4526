// Stands for what real firmware carries: bytes that do not compress, loaded and never touched, so that an image spans
// several sectors of flash.
asm(".pushsection .rodata.ballast, \"aR\", %progbits\n"
    ".incbin \"" PAWL_BALLAST
    "\"\n"
    ".popsection\n");
