import { computing, growth, mostGrowth, threadMs } from '../../computing.ts'
import { metWhile, mostMetMs } from '../../turns.ts'
import { everything, grantOf, openHouse, type TestHouse } from './house.ts'
import { message } from './reading.ts'

/**
 * Whatever one message is made of, it is taken in or refused, and others have their turns meanwhile. Measured is the CPU
 * that the longest turn takes – at most two and a half times what an ordinary message takes in all – while a turn for the whole of it took
 * a hundred times as much.
 */
const mostOrdinary = 12

const msh = (id: string, type = 'ORU^R01^ORU_R01') => `MSH|^~\\&|LAB|HOSP|K|H|20260101120000||${type}|${id}|P|2.5.1`
const adt = (id: string) => msh(id, 'ADT^A01^ADT_A01')
const pid = 'PID|1||1^^^HOSP^MR||Test^Person||19800101|F'
const pv1 = 'PV1|1|I|||||||||||||||||V1'
const obr = 'OBR|1||F1|24331-1^Lipid^LN|||20260101'
const nm = 'OBX|#|NM|2093-3^Chol^LN|#|180|mg/dL|0-200|N|||F'
const times = (count: number, line: string) =>
  Array.from({ length: count }, (_, at) => line.replaceAll('#', String(at + 1))).join('\r')

let made = 0
/** A message of so many results, of which none has come before. */
const ordinary = (count: number) => {
  const id = `W${++made}`
  return message(msh(id), pid, obr.replace('F1', id), times(count, nm))
}

let house: TestHouse
/** CPU of a message of 200 results. */
let ordinaryMs: number
const send = (bytes: Buffer) => house.ingest.hl7v2({ grant: everything(), message: bytes })

beforeAll(async () => {
  house = await openHouse()
  await send(message(adt('A'), 'EVN||20260101', pid, pv1, 'DG1|1||C^c^L', 'NK1|1|F^G|MTH', 'ROL|1|AD|AT|D^Doc'))
  await send(message(msh('W'), pid, obr, times(200, nm), 'NTE|1||x', 'OBX|9|ST|a^b^L|9|x'))
  ordinaryMs = await computing(() => send(ordinary(200)))
})

/** Does the work; gives the CPU of its longest turn of the event loop. */
async function longestTurn<T>(work: () => Promise<T>): Promise<{ result: T; turnMs: number }> {
  let turnMs = 0
  let isOver = false
  let last = threadMs()
  const watch = () => {
    const now = threadMs()
    turnMs = Math.max(turnMs, now - last)
    last = now
    if (!isOver) setImmediate(watch)
  }
  setImmediate(watch)
  const result = await work()
  await new Promise(resolve => setImmediate(resolve))
  isOver = true
  return { result, turnMs }
}

const inObx =
  (text: string, type = 'ST') =>
  () =>
    message(msh('X'), pid, obr, `OBX|1|${type}|a^b^LN||${text}`)
const inPid = (text: string) => () => message(adt('P'), 'EVN||20260101', `${pid}|||||${text}`)
const many =
  (...lines: readonly string[]) =>
  () =>
    message(adt('M'), 'EVN||20260101', pid, ...lines)
const megabyteOf = (text: string) => text.repeat(1_000_000 / text.length)

const refused = 400
const taken = 200

// biome-ignore format: a table is read by its columns
const hostile: readonly (readonly [name: string, status: number, bytes: () => Buffer])[] = [
  ['five million notes', refused, () => Buffer.concat([message(msh('N'), pid), Buffer.from('NTE|1\r'.repeat(5_000_000))])],
  ...['^', '~', '&', '|', '^~', '|^~&', '~|', '&^'].map(text => [`a megabyte of ${text}`, refused, inObx(megabyteOf(text))] as const),
  ...['^', '~', '&', '|', 'a^', 'a~', 'a&', '^~&'].map(text => [`sixty kilobytes of ${text} in PID`, refused, inPid(text.repeat(60_000 / text.length))] as const),
  ...['NM', 'CWE', 'SN', 'XPN', 'ED', 'XTN'].map(type => [`20,000 values of type ${type}`, refused, inObx('1~'.repeat(20_000), type)] as const),
  ['a megabyte of line ends', taken, () => Buffer.concat([message(msh('L'), pid), Buffer.from('\r'.repeat(1_000_000))])],
  ['20,000 lines of text', taken, inObx('line~'.repeat(20_000), 'TX')],
  ['20,000 samples', taken, inObx('1^'.repeat(20_000), 'NA')],
  ['100,000 hexadecimal escapes', taken, inObx('\\X41\\'.repeat(100_000), 'TX')],
  ['100,000 line breaks in a text', taken, inObx('x\\.br\\'.repeat(100_000), 'FT')],
  ['a hexadecimal escape without an end', taken, inObx(`\\X${'41'.repeat(400_000)}`, 'FT')],
  ['900,000 escape characters', refused, inObx('\\'.repeat(900_000), 'FT')],
  ['an MSH of 200,000 fields', refused, () => message(`${msh('H')}${'|'.repeat(200_000)}`, pid)],
  ['an MSH of 900,000 characters', taken, () => message(`${msh('H')}||||||${'x'.repeat(900_000)}`, pid)],
  ['other delimiters that fill the text', refused, () => message('MSH#$!*@#LAB#HOSP####ORU$R01#D#P#2.5', `OBX#1#ST#a##${'$'.repeat(900_000)}`)],
  ['3,000 patients', refused, () => message(msh('Q'), times(3_000, 'PID|#||#^^^HOSP^MR||A^B#||19800101|F'))],
  ['50 times the same patient', taken, () => message(msh('S'), times(50, pid))],
  ['5,000 diagnoses', refused, many(pv1, times(5_000, 'DG1|#||C#^c^L'))],
  ['200 diagnoses', taken, many(pv1, times(200, 'DG1|#||C#^c^L'))],
  ['200 roles', taken, many(pv1, times(200, 'ROL|#|AD|AT|D#^Doc^T'))],
  ['9,000 segments of a sender\'s own', refused, many(times(9_000, 'ZZ1|#|x'))],
  ['3,000 notes of one patient', taken, many(times(3_000, 'NTE|#||x'))],
  ['300 orders with a result each', taken, () => message(msh('O'), pid, times(300, `${obr.replace('F1', 'F#')}\r${nm}`))],
]

describe('what one message costs – none of it is anybody else’s', () => {
  it.each(hostile)('%s', async (_, status, bytes) => {
    const before = process.memoryUsage().rss
    const sent = bytes()
    const { result, turnMs } = await longestTurn(() => send(sent))
    expect({ status: result.status, ack: result.ack.slice(0, 4) }).toEqual({ status, ack: 'MSH|' })
    if (status === refused) expect(result.ack).toMatch(/ERR\|[^|]*\|[^|]*\|104\^/)
    expect(turnMs / ordinaryMs).toBeLessThan(mostOrdinary)
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024)
  })

  it('eight times as many results cost eight times as much, in many turns', async () => {
    const results = (count: number) => send(ordinary(count))
    expect(await growth(results, 150)).toBeLessThan(mostGrowth)
    expect((await metWhile(() => results(1_500))).metMs).toBeLessThan(mostMetMs)
  })

  it('says which figure it is, and what is read', async () => {
    const { ack } = await send(message(msh('F'), pid, times(10_001, 'NTE|1')))
    expect(ack).toContain('more segments than are read: at most 10,000')
    expect(ack).toContain('MSA|AR|F')
  })

  it('nothing is parsed of who may not write', async () => {
    const bytes = message(msh('G'), pid, times(9_000, nm))
    const grant = grantOf('patient/Observation.c', { patient: house.anna, patients: [] })
    const refusedMs = await computing(async () => {
      const refusal = { status: 400, ack: expect.stringContaining('207') }
      expect(await house.ingest.hl7v2({ grant, message: bytes })).toMatchObject(refusal)
    })
    // 45 times as much is there to be parsed.
    expect(refusedMs / ordinaryMs).toBeLessThan(3)
  })

  it('in a file too, and only the message that is too large is left out', async () => {
    const one = message(msh('B1'), 'PID|1', obr, 'OBX|1|NM|C^c^L||1')
    const tooLarge = message(msh('B2'), 'PID|1', times(20_000, 'NTE|1'))
    const last = message(msh('B3'), 'PID|1', obr.replace('F1', 'F2'), 'OBX|1|NM|C^c^L||2')
    const { result, turnMs } = await longestTurn(async () => {
      const grant = everything()
      const body = (async function* () {
        yield Buffer.concat([one, tooLarge, last])
      })()
      const job = await house.ingest.start({ grant, patient: house.bert, body })
      await job.done
      return house.ingest.job(job.id, grant)
    })
    expect(JSON.stringify(result?.report)).toContain('message[2]')
    expect(JSON.stringify(result?.report)).not.toContain('message[3]')
    expect(turnMs / ordinaryMs).toBeLessThan(mostOrdinary)
  })
})
