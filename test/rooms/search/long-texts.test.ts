/** Texts of several MB are found among others, as short ones are. */
import { HashIndex, hashBytes, PackedTexts } from '../../../src/search/columns/packed-texts.ts'

const seed = 7
const letters = (length: number) => Buffer.from(Array.from({ length }, (_, at) => at % 251))

/** The same text with one letter changed. */
function changedAt(text: Buffer, at: number): Buffer {
  const changed = Buffer.from(text)
  changed[at] = (changed[at] as number) ^ 0x80
  return changed
}

describe.each([1, 63, 64, 65, 66, 67, 68, 4_097])('a text of %d bytes', length => {
  const text = letters(length)
  const places = [...new Set([0, 1, 2, 3, length >> 1, length - 2, length - 1])].filter(at => at >= 0 && at < length)

  it('has the hash that it has anywhere in a block', () => {
    const own = hashBytes(text, 0, length, seed)
    for (const before of [0, 1, 2, 3, 5]) {
      const block = Buffer.concat([letters(before), text, letters(3)])
      expect(hashBytes(block, before, before + length, seed)).toBe(own)
      expect(hashBytes(block.subarray(before), 0, length, seed)).toBe(own)
    }
    expect(hashBytes(text, 0, length, seed + 1)).not.toBe(own)
  })

  it('is told from one that differs in a single letter', () => {
    const texts = new PackedTexts()
    const index = new HashIndex(texts)
    const all = [text, ...places.map(at => changedAt(text, at))]
    expect(new Set(all.map(each => hashBytes(each, 0, length, seed))).size).toBe(all.length)
    for (const [at, each] of all.entries()) {
      expect(index.find(each)).toBe(-1)
      texts.push(each)
      index.put(each, at)
    }
    expect(all.map(each => index.find(each))).toEqual([...all.keys()])
  })
})

it('long texts that differ in a few bits are spread', () => {
  const buckets = 1 << 12
  for (const written of ['writeUInt32LE', 'writeUInt32BE'] as const) {
    const met = Array.from({ length: buckets / 2 }, (_, at) => {
      const text = letters(128)
      text[written](at, 40)
      return hashBytes(text, 0, text.length, seed) % buckets
    })
    // By chance some four in five of so many find a bucket of their own.
    expect(new Set(met).size).toBeGreaterThan(buckets * 0.35)
  }
})
