#include "libcommon/base/compat.h"
#include "services/api/perm.h"

#define CREATE_READ (PERM_DECISION_CREATE | PERM_DECISION_READ)
#define OPERATE (PERM_DECISION_APPROVE | PERM_TENANT_CONFIG | PERM_QUEUE_MANAGE)
#define DATA_RW (PERM_DATA_READ | PERM_DATA_WRITE)

const char perm_role_names[] = "super_admin, admin, ceo, executive, analyst, viewer";

static const struct {
    const char *role;
    unsigned perms;
} roles[] = {
    {"super_admin", CREATE_READ | PERM_DECISION_UPDATE | PERM_DECISION_DELETE | DATA_RW |
                        PERM_DATA_EXPORT | PERM_USER_MANAGE | PERM_SYSTEM_CONFIG | PERM_AUDIT_VIEW |
                        OPERATE},
    {"admin",
     CREATE_READ | PERM_DECISION_UPDATE | DATA_RW | PERM_USER_MANAGE | PERM_AUDIT_VIEW | OPERATE},
    {"ceo", CREATE_READ | PERM_DATA_READ | PERM_DATA_EXPORT | PERM_DECISION_APPROVE},
    {"executive", CREATE_READ | PERM_DATA_READ | PERM_DECISION_APPROVE},
    {"analyst", CREATE_READ | DATA_RW},
    {"viewer", PERM_DECISION_READ | PERM_DATA_READ},
};

static const struct {
    unsigned perm;
    const char *name;
} names[] = {
    {PERM_DECISION_CREATE, "decision:create"},
    {PERM_DECISION_READ, "decision:read"},
    {PERM_DECISION_UPDATE, "decision:update"},
    {PERM_DECISION_DELETE, "decision:delete"},
    {PERM_DECISION_APPROVE, "decision:approve"},
    {PERM_DATA_READ, "data:read"},
    {PERM_DATA_WRITE, "data:write"},
    {PERM_DATA_EXPORT, "data:export"},
    {PERM_USER_MANAGE, "user:manage"},
    {PERM_SYSTEM_CONFIG, "system:config"},
    {PERM_AUDIT_VIEW, "audit:view"},
    {PERM_TENANT_CONFIG, "tenant:config"},
    {PERM_QUEUE_MANAGE, "queue:manage"},
};

bool perm_role(const char *role, unsigned *out)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(roles[i].role, role) == 0) {
            *out = roles[i].perms;
            return true;
        }
    }
    return false;
}

const char *perm_name(unsigned perm)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].perm == perm)
            return names[i].name;
    return "";
}

unsigned perm_parse(const char *name)
{
    for (size_t i = 0; name != NULL && i < ARRAY_LEN(names); i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].perm;
    return PERM_NONE;
}
