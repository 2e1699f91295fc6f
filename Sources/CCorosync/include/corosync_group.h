// One process' part in a corosync cluster: membership in a process group, and quorum.
//
// corosync's libraries are opened when they are needed, so that neither building nor running this
// program needs them. What is declared of their interface follows their manual pages: cpg_overview(8),
// quorum_overview(8), cmap_overview(8).
//
// Not safe for several threads at once. Results are 0 or corosync's error numbers (cs_error_t),
// unless said otherwise.
#ifndef CLVMD_COROSYNC_GROUP_H
#define CLVMD_COROSYNC_GROUP_H

#include <stddef.h>
#include <stdint.h>

struct corosync_group;

enum { COROSYNC_TRY_AGAIN = 6 };

struct corosync_process {
  uint32_t node;
  uint32_t pid;
};

// What corosync has to say, told from within `corosync_group_dispatch`. Pointers are valid during the
// call only.
struct corosync_listener {
  void *context;
  void (*members)(void *context, const struct corosync_process *members, size_t count);
  void (*ring)(void *context, uint32_t representative, uint64_t sequence);
  void (*message)(
      void *context, struct corosync_process sender, const void *bytes, size_t length);
  void (*quorum)(void *context, int is_quorate, uint32_t representative, uint64_t sequence);
};

// Opens the libraries. Returns NULL, or what is missing.
const char *corosync_load_libraries(void);

// Connects to corosync. NULL on failure, with the error in `*error` and the name of the service that
// refused in `*service`.
struct corosync_group *corosync_group_connect(int *error, const char **service);
void corosync_group_close(struct corosync_group *group);

// The id of this node.
uint32_t corosync_group_local_node(const struct corosync_group *group);
// Whether corosync has a quorum provider at all.
int corosync_group_has_quorum(const struct corosync_group *group);
// The ids in corosync's list of nodes; at most `capacity` are stored, `*count` tells how many there are.
int corosync_group_configured_nodes(uint32_t *ids, size_t capacity, size_t *count);
// The name in corosync's configuration, cut to `size` bytes with the NUL; empty if it has none.
int corosync_group_cluster_name(char *name, size_t size);

int corosync_group_join(struct corosync_group *group, const char *name);
int corosync_group_leave(struct corosync_group *group, const char *name);
int corosync_group_multicast(struct corosync_group *group, const void *bytes, size_t length);

// Two descriptors to poll for reading; -1 on failure.
int corosync_group_membership_descriptor(const struct corosync_group *group);
int corosync_group_quorum_descriptor(const struct corosync_group *group);
// Tells `listener` all that has come, without blocking.
int corosync_group_dispatch(
    struct corosync_group *group, const struct corosync_listener *listener);

#endif
