/* devreg list: the devices, a line each, streamed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/complain.h"
#include "admin/list_columns.h"

struct list {
    struct listing listing;
    struct list_choice choice;
    uint64_t left; /* rows that may follow */
};

static bool list_device(struct walk *walk, struct device *device, const struct noted *noted)
{
    struct list *list = walk->context;
    const struct list_source source = {device, &walk->view, noted, walk->call->now};
    listing_add(&list->listing, list_row(&list->choice, list->listing.shape, &source));
    return --list->left > 0;
}

static bool list_pause(struct walk *walk, uint64_t seen)
{
    struct list *list = walk->context;
    (void)seen;
    listing_pause(&list->listing);
    return !ferror(stdout);
}

static void list_begin(struct call *call, struct list *list)
{
    listing_begin(&list->listing, call, list->choice.shown, list->choice.count);
    list->listing.retitle = true;
    for (size_t i = 0; i < list->choice.count; i++)
        listing_widen(&list->listing, i, list->choice.columns[i]->width);
}

static enum status list_all(struct call *call, const struct selection *selection, struct list *list)
{
    const char *after = call_option(call, OPT_AFTER);
    struct walk walk = {.call = call,
                        .selection = selection,
                        .look = list->choice.looks,
                        .context = list,
                        .each = list_device,
                        .pause = list_pause};
    if (after)
        memcpy(walk.after, after, strlen(after) + 1);
    list_begin(call, list);
    enum status status = walk_run(&walk);
    listing_end(&list->listing);
    if (!status && walk.damaged)
        status = complain_damaged(call);
    return status;
}

static enum status take_page(struct call *call, struct list *list)
{
    const char *limit = call_option(call, OPT_FIRST), *after = call_option(call, OPT_AFTER);
    list->left = UINT64_MAX;
    if (limit) {
        bool digits = *limit && strspn(limit, "0123456789") == strlen(limit);
        list->left = digits && strlen(limit) < 16 ? strtoull(limit, NULL, 10) : 0;
        if (!list->left)
            return complain(call, STATUS_MISUSE, "--limit '" SHOWN "': write a number from 1 on",
                            limit);
    }
    return after ? check_device_id(call, after) : STATUS_DONE;
}

enum status cmd_list(struct call *call)
{
    struct selection selection;
    struct list list;
    enum status status = selection_take(call, &selection);
    if (!status)
        status = list_choose(call, &selection, &list.choice);
    if (!status)
        status = take_page(call, &list);
    if (!status)
        status = selection_check(call, &selection);
    if (!status)
        status = list_all(call, &selection, &list);
    selection_clear(&selection);
    return status;
}
