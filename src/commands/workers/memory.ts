const mebibyte = 1024 * 1024

/** What the processes that serve a house may keep at hand of it, all together: bytes, and a number of ledgers. */
const ofAll = {
  indexBytes: 512 * mebibyte,
  rowBytes: 64 * mebibyte,
  versionBytes: 32 * mebibyte,
  segmentBytes: 16 * mebibyte,
  keyBytes: 64 * mebibyte,
  /** As many as there are keys at hand. */
  openLedgers: 16_384,
}

/** The part of each of so many processes, as the vault and the record are opened with it. */
export type MemoryOfEach = Readonly<Record<keyof typeof ofAll | 'populationBytes', number>>

/** @param populationBytes  what indexes over many patients may take, of all processes together */
export function memoryOfEach(processes: number, populationBytes: number): MemoryOfEach {
  const part = (amount: number) => Math.ceil(amount / processes)
  return {
    indexBytes: part(ofAll.indexBytes),
    rowBytes: part(ofAll.rowBytes),
    versionBytes: part(ofAll.versionBytes),
    segmentBytes: part(ofAll.segmentBytes),
    keyBytes: part(ofAll.keyBytes),
    openLedgers: part(ofAll.openLedgers),
    populationBytes: part(populationBytes),
  }
}
