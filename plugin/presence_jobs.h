/* presence_jobs.h - the way to the disk and back: records become jobs, jobs that are done become
 * messages. See presence.h. */
#ifndef DEVREG_PLUGIN_PRESENCE_JOBS_H
#define DEVREG_PLUGIN_PRESENCE_JOBS_H

#include "plugin/presence.h"

/* Hands the entry's record as it is now to the writer. `told`: it is a new state, to be published
 * when it is on the disk; so it is published where its topic is another one now. Nothing where
 * nothing changed. False for want of memory: then it is still to be done. */
bool presence_submit(struct presences *presences, struct presence_entry *entry, bool told,
                     int64_t now);

/* False for want of memory, or of a thread. */
bool presence_submit_delete(struct presences *presences, struct presence_entry *entry, int64_t now);
bool presence_submit_forget(struct presences *presences, const char *topic);
/* JOB_WALKED or JOB_KNOWN, which say all by their kind. */
bool presence_submit_note(struct presences *presences, enum job_kind kind);

/* JOB_BEGIN. Copies the patterns. */
bool presence_submit_begin(struct presences *presences, const struct patterns *patterns);

/* A quarantine begins, has ended. */
bool presence_submit_quarantine(struct presences *presences, const char *device,
                                const struct quarantine *quarantine);
bool presence_submit_release(struct presences *presences, const char *device,
                             const struct quarantine *quarantine);

/* Ends a job that is not to be written any more. What it was to record is still to be done. */
void presence_job_drop(struct presences *presences, struct job *job);

/* Takes in what the writer wrote, and publishes it, a part at a time. */
void presence_collect(struct presences *presences);

/* Writes again what the disk refused: once it is time for it, or `at_once`. */
void presence_retry(struct presences *presences, bool at_once);

/* The topic of the device's message as of now, by its attributes in the registry. */
MUST_CHECK enum err presence_topic_now(struct presences *presences, const char *device,
                                       char topic[static PRESENCE_TOPIC_MAX + 1]);

#endif
