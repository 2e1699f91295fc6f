#!/bin/sh
# An alert agent for pacemaker: tells clvmd that pacemaker has fenced a node, so that lockspaces go on
# without it. Pacemaker runs it on every node; what one has told already is no error on the others.
#
#   pcs alert create id=clvmd path=/usr/share/clvmd/alert_clvmd.sh
#
# Pacemaker runs it as the user hacluster, and clvm speaks to root only. /etc/sudoers.d/clvmd:
#
#   hacluster ALL = (root) NOPASSWD: /usr/sbin/clvm node fenced --by pacemaker *
set -eu

# Alerts of other kinds, fences that failed, and a node's power-on prove nothing.
if [ "${CRM_alert_kind:-}" != fencing ] || [ "${CRM_alert_rc:-1}" != 0 ]; then exit 0; fi
case ${CRM_alert_task:-} in
  off | reboot) ;;
  *) exit 0 ;;
esac

as_root=
if [ "$(id -u)" != 0 ]; then as_root='sudo -n'; fi
exec $as_root "${CLVM:-/usr/sbin/clvm}" node fenced --by pacemaker "${CRM_alert_node:?}"
