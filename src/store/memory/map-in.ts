/** The map that goes by a name, which is made when it is asked for first. */
export function mapIn<K, V>(maps: Map<string, Map<K, V>>, name: string): Map<K, V> {
  const map = maps.get(name) ?? new Map<K, V>()
  maps.set(name, map)
  return map
}
