// SMART's JavaScript client against a running server: node smart.mjs BASE TOKEN. One line a step; exit code 1 where one fails.
import { IncomingMessage } from 'node:http';
import FHIR from 'fhirclient';
const [base, token] = process.argv.slice(2);
let ok=0,bad=0;
const step = async (n,f)=>{ try { const r=await f(); ok++; console.log('OK   ',n, r===undefined?'':String(r).slice(0,150)); } catch(e){ bad++; console.log('FAIL ',n, e.message.slice(0,300)); } };
const client = FHIR(new IncomingMessage(), {}).client({ serverUrl: base, tokenResponse: { access_token: token } });
let p;
await step('create', async()=>{ p=await client.create({resourceType:'Patient',identifier:[{system:'urn:x',value:'F'+Date.now()}],name:[{text:'赵永福'}]}); return p.id; });
await step('update', async()=>(await client.update({...p,active:true})).meta.versionId);
await step('patch', async()=>(await client.patch('Patient/'+p.id,[{op:'replace',path:'/active',value:false}])).active);
await step('request', async()=>(await client.request('Patient/'+p.id)).name[0].text);
await step('request flat pages', async()=>{ for(let i=0;i<7;i++) await client.create({resourceType:'Observation',status:'final',code:{text:'x'},subject:{reference:'Patient/'+p.id}}); return (await client.request('Observation?_count=3&patient='+p.id,{flat:true,pageLimit:0})).length; });
await step('resolve references', async()=>(await client.request('Observation?_count=3&patient='+p.id,{flat:true,resolveReferences:['subject']}))[0].subject.resourceType);
await step('state', async()=>await client.getFhirVersion());
await step('release', async()=>await client.getFhirRelease());
await step('delete', async()=>{ const r=await client.request('Observation?patient='+p.id,{flat:true}); for(const o of r) await client.delete('Observation/'+o.id); return r.length; });
console.log(`${ok} ok, ${bad} failed`);
process.exit(bad ? 1 : 0);
