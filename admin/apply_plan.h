/* apply_plan.h - what has to change for the registry to be as a file says.
 *
 * Devices of both are walked side by side, in the order of their names:
 *
 *   file       a  b     d          a is as it should be, b differs, d is new;
 *   registry   a  b  c             c is gone with --prune, and left alone without
 *
 * The file's line is all that people declare of a device: what it leaves out is empty. Credentials
 * are left alone, but for a file with hashes; a new device has those of the file, or none.
 */
#ifndef DEVREG_ADMIN_APPLY_PLAN_H
#define DEVREG_ADMIN_APPLY_PLAN_H

#include "admin/import_file.h"
#include "admin/record_diff.h"

/* After so many devices what was read of the registry is given back: see store_forget_pages. */
enum { FORGET_AFTER = 50000 };

enum change_kind { CHANGE_ADD, CHANGE_EDIT, CHANGE_REMOVE, CHANGE_KINDS };

struct apply_change {
    const struct record *name;   /* in apply_plan's `names` */
    const struct record *record; /* of the file, until apply_store; NULL for what is removed */
    uint16_t fields;             /* that differ */
    uint8_t kind;
};

struct apply_changes {
    struct apply_change *items; /* by name */
    size_t count, room;
    size_t counts[CHANGE_KINDS];
    size_t unchanged; /* in the file, and as it says */
    size_t left;      /* in the registry alone, and left there */
};

/* {0} is none. */
struct apply_plan {
    struct apply_changes roles, devices;
    size_t keyless;       /* new devices that nothing opens */
    uint64_t snapshot;    /* of the registry that was looked at */
    struct records names; /* of what changes */
    struct records known; /* names of the roles that there will be */
};

/* Compares, in the open scope. Lines that cannot be done are rejected in `import`; then the plan is
 * not whole. End the plan with apply_plan_clear in any case. */
MUST_CHECK enum status apply_plan_make(struct call *call, struct apply_plan *plan,
                                       struct import_file *import, bool prune);
void apply_plan_clear(struct apply_plan *plan);

bool apply_plan_is_empty(const struct apply_plan *plan);

/* Would both do the same? They are of the same file. */
bool apply_plan_same(const struct apply_plan *a, const struct apply_plan *b);

/* Does all of it in the open write scope, and logs it: an entry for each where they are few, so
 * that the broker looks at nobody else; else one for all. */
MUST_CHECK enum err apply_store(struct call *call, const struct apply_plan *plan,
                                struct import_file *import);

#endif
