/** Files as phones and laboratories make them, all of whose names, codes and values are marks. */
import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'
import { markedObservation } from './fhir-paths.ts'
import type { Flock } from './flock.ts'

async function zipOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), name)
  zip.end()
  return buffer(zip.outputStream)
}

export function appleHealthZip(flock: Flock): Promise<Buffer> {
  const at = '2026-01-02 03:04:05 +0000'
  const when = `creationDate="${at}" startDate="${at}" endDate="${at}"`
  const records = Array.from(
    { length: 4 },
    () =>
      `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="${flock.foreignName()}" sourceVersion="${flock.code()}" unit="count/min" value="${flock.value()}" ${when}><MetadataEntry key="${flock.name()}" value="${flock.value()}"/></Record>`,
  )
  const unknown = `<Record type="HKQuantityTypeIdentifier${flock.name()}" sourceName="x" unit="${flock.name()}" value="${flock.value()}" ${when}/>`
  const workout = `<Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="${flock.value()}" durationUnit="min" sourceName="${flock.name()}" ${when}/>`
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n${[...records, unknown, workout].join('\n')}\n</HealthData>\n`
  return zipOf({
    'apple_health_export/export.xml': xml,
    [`apple_health_export/${flock.name()}.xml`]: `<x>${flock.name()}</x>`,
  })
}

export function googleFitZip(flock: Flock): Promise<Buffer> {
  const point = () => ({
    fitValue: [{ value: { fpVal: Number(flock.value()) } }],
    originDataSourceId: `raw:com.google.heart_rate.bpm:${flock.name()}:${flock.code()}`,
    endTimeNanos: '1767323045000000000',
    dataTypeName: 'com.google.heart_rate.bpm',
    startTimeNanos: '1767323045000000000',
    modifiedTimeMillis: '1767323045000',
    rawTimestampNanos: '0',
  })
  const source = `raw:com.google.heart_rate.bpm:${flock.name()}`
  const json = JSON.stringify({ 'Data Source': source, 'Data Points': [point(), point(), point()] })
  return zipOf({ [`Takeout/Fit/All Data/raw_com.google.heart_rate.bpm_${flock.name()}.json`]: json })
}

/** An admission and a result, as the messages of one stay. */
export function hl7v2Messages(flock: Flock): { admission: string; result: string } {
  const stay = flock.code()
  const header = (event: string) =>
    `MSH|^~\\&|${flock.name()}|${flock.name()}|||20260102030405||${event}|${flock.code()}|P|2.5.1`
  const person = `PID|1||${stay}^^^${flock.name()}^MR||${flock.name()}^${flock.name()}||19530417|F|||${flock.name()}^^${flock.name()}||${flock.value()}`
  return {
    admission: [header('ADT^A01'), 'EVN|A01|20260102030405', person, `PV1|1|I|${flock.code()}`, ''].join('\r'),
    result: [
      header('ORU^R01'),
      person,
      `OBR|1|${flock.code()}|${flock.code()}|${flock.code()}^${flock.name()}^L|||20260102030405`,
      `OBX|1|NM|${flock.code()}^${flock.name()}^L||${flock.value()}|${flock.name()}|||||F|||20260102030405`,
      `OBX|2|ST|${flock.code()}^${flock.name()}^L||${flock.foreignName()}||||||F|||20260102030405`,
      '',
    ].join('\r'),
  }
}

/** A FHIR bundle; with filling it is larger than what is held in memory while it is imported. */
export function fhirBundle(flock: Flock, patient: string, fillingBytes = 0): Buffer {
  const entries = Array.from({ length: 3 }, () => ({ resource: markedObservation(flock, patient) }))
  const each = 4_000
  const filling = Array.from({ length: Math.ceil(fillingBytes / each) }, (_, at) => ({
    resource: {
      resourceType: 'Observation',
      status: 'final',
      code: { text: `filling ${at}` },
      subject: { reference: `Patient/${patient}` },
      note: [{ text: `${at} `.repeat(each / `${at} `.length) }],
    },
  }))
  const entry = [...entries, ...filling]
  return Buffer.from(JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry }))
}
