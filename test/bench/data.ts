/** Synthetic resources of the usual sizes; values vary, structure does not. */

const vitalSigns = {
  coding: [
    {
      system: 'http://terminology.hl7.org/CodeSystem/observation-category',
      code: 'vital-signs',
      display: 'Vital Signs',
    },
  ],
}

const startMs = Date.parse('2024-01-01T00:00:00Z')

/** A heart rate, one a minute. */
export function heartRate(patient: string, n: number) {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [vitalSigns],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }], text: 'Heart rate' },
    subject: { reference: `Patient/${patient}` },
    effectiveDateTime: `${new Date(startMs + n * 60_000).toISOString().slice(0, 19)}Z`,
    valueQuantity: {
      value: 50 + ((n * 7919) % 90),
      unit: 'beats/minute',
      system: 'http://unitsofmeasure.org',
      code: '/min',
    },
  }
}

/** Patient and systolic pressure, the transaction that other servers are measured with. */
export function pairBundle(n: number) {
  const patient = `urn:uuid:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
  const observation = `urn:uuid:00000000-0000-4000-9000-${String(n).padStart(12, '0')}`
  const request = (url: string) => ({ method: 'POST', url })
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        fullUrl: patient,
        resource: {
          resourceType: 'Patient',
          gender: 'male',
          birthDate: `19${20 + (n % 80)}-0${1 + (n % 9)}-1${n % 9}`,
        },
        request: request('Patient'),
      },
      {
        fullUrl: observation,
        resource: {
          resourceType: 'Observation',
          status: 'final',
          subject: { reference: patient },
          code: { coding: [{ system: 'http://loinc.org', code: '8480-6' }] },
          valueQuantity: { value: 90 + (n % 90), unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
        },
        request: request('Observation'),
      },
    ],
  }
}

export function observationBundle(patient: string, from: number, count: number) {
  const entry = Array.from({ length: count }, (_, at) => ({
    resource: heartRate(patient, from + at),
    request: { method: 'POST', url: 'Observation' },
  }))
  return { resourceType: 'Bundle', type: 'transaction', entry }
}

/** The text of an Apple Health export with this many heart rates and steps, in pieces. */
export function* appleExport(records: number): Generator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n <ExportDate value="2026-01-01 00:00:00 +0000"/>\n'
  for (let n = 0; n < records; n++) yield record(n)
  yield '</HealthData>\n'
}

function record(n: number): string {
  const at = new Date(startMs + n * 5_000).toISOString()
  const start = `${at.slice(0, 10)} ${at.slice(11, 19)} +0000`
  const device =
    'device="&lt;&lt;HKDevice: 0x2834ef0c0&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,7, software:10.1&gt;"'
  const what =
    n % 3 === 0
      ? `type="HKQuantityTypeIdentifierStepCount" unit="count" value="${1 + (n % 120)}"`
      : `type="HKQuantityTypeIdentifierHeartRate" unit="count/min" value="${50 + (n % 90)}"`
  return ` <Record ${what} sourceName="Watch" sourceVersion="10.1" ${device} creationDate="${start}" startDate="${start}" endDate="${start}"/>\n`
}
