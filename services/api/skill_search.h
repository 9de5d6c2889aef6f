/* skill_search.h: the skill that asks the knowledge base. It needs no worker: the search is
 * PostgreSQL's. */
#pragma once
#include "services/api/req.h"

/* Answers r with the output of knowledge_retrieval; params fit its schema. */
void skill_search(struct req *r, const char *tool, const cJSON *params);
