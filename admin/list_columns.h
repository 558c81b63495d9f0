/* list_columns.h - the columns that `devreg list` can show: a table, from which come the default,
 * what
 * --columns takes, and the members of JSON. */
#ifndef DEVREG_ADMIN_LIST_COLUMNS_H
#define DEVREG_ADMIN_LIST_COLUMNS_H

#include "admin/output.h"
#include "admin/selection.h"

/* What a row is made of. */
struct list_source {
    const struct device *device;
    const struct presence_view *view;
    const struct noted *noted; /* filled where a column `looks` */
    int64_t now;
};

struct list_column {
    const char *name, *title;
    enum cell cell;
    size_t width; /* at least, where it is known */
    bool looks;   /* needs what the broker noted */
    void (*add)(cJSON *row, const char *name, const struct list_source *source);
};

extern const struct list_column list_columns[];
extern const size_t list_column_count;

/* Those that were chosen, in their order. */
struct list_choice {
    size_t count;
    const struct list_column *columns[COLUMNS_MAX];
    struct column shown[COLUMNS_MAX];
    char names[COLUMNS_MAX][ATTRIBUTE_NAME_MAX + 6]; /* as "attr.site" */
    bool looks;                                      /* any of them */
    bool chosen;                                     /* by --columns */
};

/* By --columns, or those that answer what is asked. */
MUST_CHECK enum status list_choose(struct call *call, const struct selection *selection,
                                   struct list_choice *choice);

/* The row of a device; listing_add takes it over. */
cJSON *list_row(const struct list_choice *choice, enum shape shape,
                const struct list_source *source);

#endif
