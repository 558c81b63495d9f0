/* fit.h - do devreg.so and devreg belong together?
 *
 * A line in devreg.so says which version it is, so that `devreg check` can find it in the file,
 * without loading a plugin that wants a broker around it.
 */
#ifndef DEVREG_REGISTRY_FIT_H
#define DEVREG_REGISTRY_FIT_H

#define FIT_MARK "\ndevreg.so version " /* then the version, and a line's end */

#endif
