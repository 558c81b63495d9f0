# npm.bash - MQTT.js for the pages, and puppeteer-core that drives Chromium through them. Sourced after
# example.bash:
#
#   example_npm                           installs both once, into build/ of a checkout or into $work
#   cp "$mqtt_js" "$work/www/"            mqtt.min.js, one file for a page
#   node test.js                          NODE_PATH is set: require('puppeteer-core') works
#
# shellcheck shell=bash disable=SC2154
mqtt_version=5.16.0
puppeteer_version=24.43.1 # the last one for the Node.js of Debian 12

example_npm() {
  local home=$work/npm wanted="mqtt@$mqtt_version puppeteer-core@$puppeteer_version" packages=(chromium nodejs)
  command -v npm >/dev/null || packages+=(npm)
  example_install "${packages[@]}"
  [ ! -f "$root/CMakeLists.txt" ] || home=$root/build/examples-npm
  mkdir -p "$home"
  ( # Two examples may come here at once.
    flock 9
    [ "$(cat "$home/installed" 2>/dev/null)" != "$wanted" ] || exit 0
    echo "Installing $wanted ..."
    rm -rf "$home/node_modules"
    echo '{ "private": true }' >"$home/package.json"
    # shellcheck disable=SC2086
    npm install --prefix "$home" --cache "$home/cache" --no-save --no-package-lock --ignore-scripts --no-audit \
      --no-fund --loglevel=error $wanted >"$work/npm.log" 2>&1 || fail "npm could not install $wanted"
    rm -rf "$home/cache"
    echo "$wanted" >"$home/installed"
  ) 9>"$home/lock" || exit
  export NODE_PATH=$home/node_modules
  # shellcheck disable=SC2034
  mqtt_js=$NODE_PATH/mqtt/dist/mqtt.min.js
}
