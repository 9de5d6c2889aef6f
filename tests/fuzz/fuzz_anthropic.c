/* Streams of the Messages API; see stream.h. */
#include "libcommon/base/compat.h"
#include "tests/fuzz/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_stream(&llm_anthropic, data, size);
}
