/* perm.h: permissions and roles. One table, one question. */
#pragma once
#include "libcommon/base/str.h"

enum perm {
    PERM_NONE = 0,
    PERM_DECISION_CREATE = 1 << 0,
    PERM_DECISION_READ = 1 << 1,
    PERM_DECISION_UPDATE = 1 << 2,
    PERM_DECISION_DELETE = 1 << 3,
    PERM_DECISION_APPROVE = 1 << 4,
    PERM_DATA_READ = 1 << 5,
    PERM_DATA_WRITE = 1 << 6,
    PERM_DATA_EXPORT = 1 << 7,
    PERM_USER_MANAGE = 1 << 8,
    PERM_SYSTEM_CONFIG = 1 << 9,
    PERM_AUDIT_VIEW = 1 << 10,
    PERM_TENANT_CONFIG = 1 << 11,
    PERM_QUEUE_MANAGE = 1 << 12
};

/* The permissions of a role; false when there is no such role. */
bool perm_role(const char *role, unsigned *out);
/* Whether `has` holds all of `needs`. */
static inline bool perm_allows(unsigned has, unsigned needs)
{
    return (has & needs) == needs;
}
/* "decision:create"; "" for PERM_NONE or several. */
const char *perm_name(unsigned perm);
/* The reverse; NULL and unknown names give PERM_NONE. */
unsigned perm_parse(const char *name);
/* "super_admin|admin|..." for messages and help. */
extern const char perm_role_names[];
