#!/bin/sh
# portable.sh NM PLUGIN: of the broker's functions, devreg.so needs only those that 2.0.11, 2.0.21 and
# 2.1.2 all export. With RTLD_NOW one more would keep it from loading; a newer one has to be weak.
set -u
portable='mosquitto_broker_publish
mosquitto_broker_publish_copy
mosquitto_callback_register
mosquitto_callback_unregister
mosquitto_calloc
mosquitto_client_address
mosquitto_client_certificate
mosquitto_client_clean_session
mosquitto_client_id
mosquitto_client_keepalive
mosquitto_client_protocol
mosquitto_client_protocol_version
mosquitto_client_sub_count
mosquitto_client_username
mosquitto_free
mosquitto_kick_client_by_clientid
mosquitto_kick_client_by_username
mosquitto_log_printf
mosquitto_malloc
mosquitto_property_add_binary
mosquitto_property_add_byte
mosquitto_property_add_int16
mosquitto_property_add_int32
mosquitto_property_add_string
mosquitto_property_add_string_pair
mosquitto_property_add_varint
mosquitto_property_free_all
mosquitto_pub_topic_check
mosquitto_realloc
mosquitto_set_username
mosquitto_strdup
mosquitto_sub_topic_check
mosquitto_topic_matches_sub
mosquitto_validate_utf8'
symbols=$("$1" -D --undefined-only "$2") || exit 2
strays=$(echo "$symbols" | awk '$1 == "U" && $2 ~ /^mosquitto_/ { print $2 }' |
    grep -vxF "$portable")
[ -z "$strays" ] && exit 0
echo "$2 cannot be loaded everywhere, since it needs: $strays" >&2
exit 1
