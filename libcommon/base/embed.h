/* embed.h: puts a file of the repository into the program's read-only data, with a NUL behind it.
 * The path is relative to the root of the tree. Use in one .c file per symbol:
 *     EMBED(prompt_system, "services/agent/engine/prompts/v1/system.txt");
 * then `extern`-free access by embed_str(prompt_system). */
#pragma once
#include "libcommon/base/str.h"

#define EMBED(symbol, path)                   \
    __asm__(".pushsection .rodata\n"          \
            ".balign 16\n"                    \
            ".global embed_" #symbol "\n"     \
            "embed_" #symbol ":\n"            \
            ".incbin \"" path "\"\n"          \
            ".global embed_" #symbol "_end\n" \
            "embed_" #symbol "_end:\n"        \
            ".byte 0\n"                       \
            ".popsection\n");                 \
    extern const char embed_##symbol[], embed_##symbol##_end[]

#define embed_str(symbol) \
    ((struct str){embed_##symbol, (size_t)(embed_##symbol##_end - embed_##symbol)})
