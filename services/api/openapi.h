/* openapi.h: the interface described from the route table: an OpenAPI 3.1 document, and a page for
 * people. The schemas of bodies are in schemas.json. */
#pragma once
#include "libcommon/base/json.h"

/* The schemas by name, in the arena. */
cJSON *openapi_schemas(struct arena *a);
/* In the arena. */
struct str openapi_json(struct arena *a);
struct str openapi_page(struct arena *a);
