/* cppcheck.h: what cppcheck must know of foreign headers, which it does not read. */
#pragma once
#define cJSON_ArrayForEach(element, array) \
    for (element = (array)->child; element != NULL; element = element->next)
